"""What goes over the wire, in and out: closed models with bounded fields."""

from services.auth.schemas.accounts import (
    AcceptedResponse,
    RegisterRequest,
    VerificationRequest,
    VerifiedResponse,
    VerifyRequest,
)
from services.auth.schemas.passwords import (
    PasswordStrengthRequest,
    PasswordStrengthResponse,
)
from services.auth.schemas.profiles import (
    HandleRequest,
    MeResponse,
    ProfileRequest,
    ProfileResponse,
)
from services.auth.schemas.providers import (
    CodeRequest,
    ExchangeRequest,
    IdentitiesResponse,
    IdentityResponse,
    ProviderResponse,
    ProvidersResponse,
)
from services.auth.schemas.sessions import (
    ChangedSessionsResponse,
    JwkResponse,
    JwksResponse,
    LoginRequest,
    RefreshRequest,
    RevokedSession,
    SecondFactorResponse,
    SessionResponse,
    TokenResponse,
)

__all__ = [
    "AcceptedResponse",
    "ChangedSessionsResponse",
    "CodeRequest",
    "ExchangeRequest",
    "HandleRequest",
    "IdentitiesResponse",
    "IdentityResponse",
    "JwkResponse",
    "JwksResponse",
    "LoginRequest",
    "MeResponse",
    "PasswordStrengthRequest",
    "PasswordStrengthResponse",
    "ProfileRequest",
    "ProfileResponse",
    "ProviderResponse",
    "ProvidersResponse",
    "RefreshRequest",
    "RegisterRequest",
    "RevokedSession",
    "SecondFactorResponse",
    "SessionResponse",
    "TokenResponse",
    "VerificationRequest",
    "VerifiedResponse",
    "VerifyRequest",
]
