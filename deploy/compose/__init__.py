"""Parley in containers on one machine: what ``docker-compose.yml`` needs around it."""
