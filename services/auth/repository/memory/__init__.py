"""The repositories in memory, for tests; same behaviour, no durability."""

from services.auth.repository.memory.erasures import (
    MemoryDeletionQueue,
    MemoryErasureRepository,
    MemoryLease,
)
from services.auth.repository.memory.links import (
    MemoryInviteRepository,
    MemoryLinkRepository,
)
from services.auth.repository.memory.people import (
    MemoryCredentialRepository,
    MemoryUserRepository,
)
from services.auth.repository.memory.personal_tokens import (
    MemoryPersonalTokenRepository,
)
from services.auth.repository.memory.profiles import (
    MemoryPictureRepository,
    MemoryPreferencesRepository,
)
from services.auth.repository.memory.providers import (
    MemoryLogoutRepository,
    MemoryProviderFlowRepository,
    MemoryProviderLinkRepository,
)
from services.auth.repository.memory.register import (
    MemoryRoleRepository,
    MemoryUserRegister,
)
from services.auth.repository.memory.second_factors import (
    MemoryCeremonyRepository,
    MemoryPendingSignInRepository,
    MemorySecondFactorPolicyRepository,
    MemorySecondFactorRepository,
)
from services.auth.repository.memory.sessions import MemorySessionRepository

__all__ = [
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
]
