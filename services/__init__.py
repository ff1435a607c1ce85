"""The services of Parley; each owns its data, and none imports another."""
