"""Container images: engine, base image, build, and a run as in production."""
