"""What the real-time benchmarks share: many sockets, servers as processes, a peer."""
