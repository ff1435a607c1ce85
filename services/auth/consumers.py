"""What auth emits; it consumes nothing until accounts can be deleted."""

from libs.events import Worker
from libs.events.catalog import (
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
        AccountVerificationRequested,
        SessionReused,
        SessionRevoked,
        SessionStarted,
        UserCreated,
        UserUpdated,
        UserVerified,
    ],
)
