"""The repositories in memory, for tests; same behaviour, no durability."""

from services.auth.repository.memory.people import (
    MemoryCredentialRepository,
    MemoryUserRepository,
    MemoryVerificationRepository,
)
from services.auth.repository.memory.sessions import (
    MemorySessionRepository,
)

__all__ = [
    "MemoryCredentialRepository",
    "MemorySessionRepository",
    "MemoryUserRepository",
    "MemoryVerificationRepository",
]
