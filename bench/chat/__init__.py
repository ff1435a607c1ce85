"""What the benchmarks of chat share: processes, people, and cheap clients."""
