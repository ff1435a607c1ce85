"""Where projects are kept: MongoDB, and the same in memory for tests."""

from services.project.repository.memory import (
    MemoryProjectRepository,
    MemoryUserDirectory,
)
from services.project.repository.mongo import MongoProjectRepository, MongoUserDirectory

__all__ = [
    "MemoryProjectRepository",
    "MemoryUserDirectory",
    "MongoProjectRepository",
    "MongoUserDirectory",
]
