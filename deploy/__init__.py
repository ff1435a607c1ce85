"""How Parley is run: embedded on one machine, its edge, and later Kubernetes."""
