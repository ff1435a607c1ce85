"""Documents generated from the catalog and the workers."""
