"""Use cases of notification; their dependencies are passed in."""
