"""Documents and the access projection: in MongoDB, or in dictionaries for tests."""

from services.media.repository.access import MongoAccessRepository
from services.media.repository.documents import MongoDocumentRepository
from services.media.repository.lease import MongoLease
from services.media.repository.memory import (
    MemoryAccessRepository,
    MemoryDocumentRepository,
    MemoryLease,
)

__all__ = [
    "MemoryAccessRepository",
    "MemoryDocumentRepository",
    "MemoryLease",
    "MongoAccessRepository",
    "MongoDocumentRepository",
    "MongoLease",
]
