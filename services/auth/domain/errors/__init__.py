"""What can go wrong with an account; each class has one stable code.

A message never tells more than its code: what a stranger may not learn (whether an
address has an account, why a sign-in failed) looks the same in every case (EN-1).
"""

from services.auth.domain.errors.accounts import (
    AttemptsThrottledError,
    CredentialsInvalidError,
    DisplayNameInvalidError,
    EmailInvalidError,
    EmailTakenError,
    HandleInvalidError,
    HandleTakenError,
    LocaleInvalidError,
    LoginThrottledError,
    OriginRefusedError,
    PasswordInvalidError,
    RefreshTokenInvalidError,
    SessionMissingError,
    StatusTextInvalidError,
    StepUpRequiredError,
    TimeZoneInvalidError,
    UserChangedError,
    UserMissingError,
    VerificationTokenInvalidError,
)
from services.auth.domain.errors.second_factors import (
    PendingSignInInvalidError,
    SecondFactorEnforcedError,
    SecondFactorInvalidError,
    SecondFactorMissingError,
    SecondFactorThrottledError,
)

__all__ = [
    "AttemptsThrottledError",
    "CredentialsInvalidError",
    "DisplayNameInvalidError",
    "EmailInvalidError",
    "EmailTakenError",
    "HandleInvalidError",
    "HandleTakenError",
    "LocaleInvalidError",
    "LoginThrottledError",
    "OriginRefusedError",
    "PasswordInvalidError",
    "PendingSignInInvalidError",
    "RefreshTokenInvalidError",
    "SecondFactorEnforcedError",
    "SecondFactorInvalidError",
    "SecondFactorMissingError",
    "SecondFactorThrottledError",
    "SessionMissingError",
    "StatusTextInvalidError",
    "StepUpRequiredError",
    "TimeZoneInvalidError",
    "UserChangedError",
    "UserMissingError",
    "VerificationTokenInvalidError",
]
