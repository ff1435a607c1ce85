"""MongoDB adapters of the ports, and their twins in memory.

One contract test proves both: tests/integration/auth/test_repository_contract.py.
"""

from services.auth.repository.email_vault import EmailVault
from services.auth.repository.memory import (
    MemoryCredentialRepository,
    MemoryPendingSignInRepository,
    MemorySecondFactorRepository,
    MemorySessionRepository,
    MemoryUserRepository,
    MemoryVerificationRepository,
)
from services.auth.repository.second_factors import (
    MongoPendingSignInRepository,
    MongoSecondFactorRepository,
)
from services.auth.repository.sessions import MongoSessionRepository
from services.auth.repository.signing_keys import FileSigningKeys
from services.auth.repository.users import (
    MongoCredentialRepository,
    MongoUserRepository,
)
from services.auth.repository.verifications import MongoVerificationRepository

__all__ = [
    "EmailVault",
    "FileSigningKeys",
    "MemoryCredentialRepository",
    "MemoryPendingSignInRepository",
    "MemorySecondFactorRepository",
    "MemorySessionRepository",
    "MemoryUserRepository",
    "MemoryVerificationRepository",
    "MongoCredentialRepository",
    "MongoPendingSignInRepository",
    "MongoSecondFactorRepository",
    "MongoSessionRepository",
    "MongoUserRepository",
    "MongoVerificationRepository",
]
