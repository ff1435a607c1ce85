"""The repositories in memory, for tests; same behaviour, no durability."""

from services.auth.repository.memory.people import (
    MemoryCredentialRepository,
    MemoryUserRepository,
    MemoryVerificationRepository,
)
from services.auth.repository.memory.second_factors import (
    MemoryPendingSignInRepository,
    MemorySecondFactorRepository,
)
from services.auth.repository.memory.sessions import (
    MemorySessionRepository,
)

__all__ = [
    "MemoryCredentialRepository",
    "MemoryPendingSignInRepository",
    "MemorySecondFactorRepository",
    "MemorySessionRepository",
    "MemoryUserRepository",
    "MemoryVerificationRepository",
]
