"""What auth emits; it consumes nothing until accounts can be deleted."""

from libs.events import Worker
from libs.events.catalog import (
    AccountEmailChanged,
    AccountEmailChangeRequested,
    AccountInvited,
    AccountMfaChanged,
    AccountPasswordChanged,
    AccountPasswordVoided,
    AccountResetRequested,
    AccountVerificationRequested,
    SessionReused,
    SessionRevoked,
    SessionStarted,
    UserCreated,
    UserSuspended,
    UserUpdated,
    UserVerified,
)

worker = Worker(
    "auth",
    emits=[
        AccountMfaChanged,
        AccountEmailChanged,
        AccountEmailChangeRequested,
        AccountInvited,
        AccountPasswordChanged,
        AccountPasswordVoided,
        AccountResetRequested,
        AccountVerificationRequested,
        SessionReused,
        SessionRevoked,
        SessionStarted,
        UserCreated,
        UserSuspended,
        UserUpdated,
        UserVerified,
    ],
)
