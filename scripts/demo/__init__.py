"""A story played by real clients through the edge: HTTP, Socket.IO, mail and push."""
