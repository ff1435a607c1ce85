"""Rules of the way in: paths, routes, headers, limits. No I/O."""
