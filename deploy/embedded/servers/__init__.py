"""One module a server: how it is configured, started, probed and stopped."""
