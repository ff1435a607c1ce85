"""What auth emits; it consumes nothing until accounts can be deleted."""

from libs.events import Worker
from libs.events.catalog import (
    AccountMfaChanged,
    AccountVerificationRequested,
    SessionReused,
    SessionRevoked,
    SessionStarted,
    UserCreated,
    UserUpdated,
    UserVerified,
)

worker = Worker(
    "auth",
    emits=[
        AccountMfaChanged,
        AccountVerificationRequested,
        SessionReused,
        SessionRevoked,
        SessionStarted,
        UserCreated,
        UserUpdated,
        UserVerified,
    ],
)
