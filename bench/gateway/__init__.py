"""The gateway beside nginx and beside itself with another client library."""
