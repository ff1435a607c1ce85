"""MongoDB adapters of the ports, and their twins in memory.

One contract test proves both: tests/integration/auth/test_repository_contract.py.
"""

from services.auth.repository.blind_index import blind_index
from services.auth.repository.ceremonies import MongoCeremonyRepository
from services.auth.repository.email_vault import EmailVault
from services.auth.repository.erasures import (
    MongoDeletionQueue,
    MongoErasureRepository,
)
from services.auth.repository.links import MongoInviteRepository, MongoLinkRepository
from services.auth.repository.memory import (
    MemoryCeremonyRepository,
    MemoryCredentialRepository,
    MemoryDeletionQueue,
    MemoryErasureRepository,
    MemoryInviteRepository,
    MemoryLease,
    MemoryLinkRepository,
    MemoryLogoutRepository,
    MemoryPendingSignInRepository,
    MemoryPersonalTokenRepository,
    MemoryPictureRepository,
    MemoryPreferencesRepository,
    MemoryProviderFlowRepository,
    MemoryProviderLinkRepository,
    MemoryRoleRepository,
    MemorySecondFactorPolicyRepository,
    MemorySecondFactorRepository,
    MemorySessionRepository,
    MemoryUserRegister,
    MemoryUserRepository,
)
from services.auth.repository.pending_sign_ins import MongoPendingSignInRepository
from services.auth.repository.personal_tokens import MongoPersonalTokenRepository
from services.auth.repository.policies import MongoSecondFactorPolicyRepository
from services.auth.repository.profiles import (
    MongoPictureRepository,
    MongoPreferencesRepository,
)
from services.auth.repository.provider_flows import MongoProviderFlowRepository
from services.auth.repository.provider_links import (
    MongoLogoutRepository,
    MongoProviderLinkRepository,
)
from services.auth.repository.register import MongoRoleRepository, MongoUserRegister
from services.auth.repository.restores import MongoRestoreRepository
from services.auth.repository.second_factors import MongoSecondFactorRepository
from services.auth.repository.sessions import MongoSessionRepository
from services.auth.repository.signing_keys import FileSigningKeys
from services.auth.repository.users import (
    MongoCredentialRepository,
    MongoUserRepository,
)

__all__ = [
    "EmailVault",
    "FileSigningKeys",
    "MemoryCeremonyRepository",
    "MemoryCredentialRepository",
    "MemoryDeletionQueue",
    "MemoryErasureRepository",
    "MemoryInviteRepository",
    "MemoryLease",
    "MemoryLinkRepository",
    "MemoryLogoutRepository",
    "MemoryPendingSignInRepository",
    "MemoryPersonalTokenRepository",
    "MemoryPictureRepository",
    "MemoryPreferencesRepository",
    "MemoryProviderFlowRepository",
    "MemoryProviderLinkRepository",
    "MemoryRoleRepository",
    "MemorySecondFactorPolicyRepository",
    "MemorySecondFactorRepository",
    "MemorySessionRepository",
    "MemoryUserRegister",
    "MemoryUserRepository",
    "MongoCeremonyRepository",
    "MongoCredentialRepository",
    "MongoDeletionQueue",
    "MongoErasureRepository",
    "MongoInviteRepository",
    "MongoLinkRepository",
    "MongoLogoutRepository",
    "MongoPendingSignInRepository",
    "MongoPersonalTokenRepository",
    "MongoPictureRepository",
    "MongoPreferencesRepository",
    "MongoProviderFlowRepository",
    "MongoProviderLinkRepository",
    "MongoRestoreRepository",
    "MongoRoleRepository",
    "MongoSecondFactorPolicyRepository",
    "MongoSecondFactorRepository",
    "MongoSessionRepository",
    "MongoUserRegister",
    "MongoUserRepository",
    "blind_index",
]
