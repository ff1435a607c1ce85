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
    "HandleRequest",
    "JwkResponse",
    "JwksResponse",
    "LoginRequest",
    "MeResponse",
    "PasswordStrengthRequest",
    "PasswordStrengthResponse",
    "ProfileRequest",
    "ProfileResponse",
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
