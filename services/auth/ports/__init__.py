"""What the core needs from outside; adapters live in `repository` and `cache`."""

from services.auth.ports.administration import RoleRepository, UserRegister
from services.auth.ports.database import DatabaseSession
from services.auth.ports.erasures import (
    DeletionQueue,
    ErasureRepository,
    Lease,
)
from services.auth.ports.keys import AccessTokenKeys
from services.auth.ports.links import InviteRepository, LinkRepository
from services.auth.ports.people import (
    CredentialRepository,
    UserRepository,
)
from services.auth.ports.personal_tokens import (
    PersonalTokenRepository,
)
from services.auth.ports.profiles import PictureRepository, PreferencesRepository
from services.auth.ports.providers import (
    LogoutRepository,
    ProviderClient,
    ProviderClients,
    ProviderFlowRepository,
    ProviderKey,
    ProviderLinkRepository,
    ProviderTokens,
)
from services.auth.ports.restores import EndedByRestore, Restore, RestoreRepository
from services.auth.ports.second_factors import (
    CeremonyRepository,
    PendingSignInRepository,
    SecondFactorPolicyRepository,
    SecondFactorRepository,
)
from services.auth.ports.sessions import RevocationAnnouncer, SessionRepository
from services.auth.ports.throttles import Attempt, GuessThrottle, MailThrottle

__all__ = [
    "AccessTokenKeys",
    "Attempt",
    "CeremonyRepository",
    "CredentialRepository",
    "DatabaseSession",
    "DeletionQueue",
    "EndedByRestore",
    "ErasureRepository",
    "GuessThrottle",
    "InviteRepository",
    "Lease",
    "LinkRepository",
    "LogoutRepository",
    "MailThrottle",
    "PendingSignInRepository",
    "PersonalTokenRepository",
    "PictureRepository",
    "PreferencesRepository",
    "ProviderClient",
    "ProviderClients",
    "ProviderFlowRepository",
    "ProviderKey",
    "ProviderLinkRepository",
    "ProviderTokens",
    "Restore",
    "RestoreRepository",
    "RevocationAnnouncer",
    "RoleRepository",
    "SecondFactorPolicyRepository",
    "SecondFactorRepository",
    "SessionRepository",
    "UserRegister",
    "UserRepository",
]
