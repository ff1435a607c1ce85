"""What a user, a message, a file and a socket take of machine: docs/capacity.md."""
