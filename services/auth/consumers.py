"""What auth emits, and what it hears: pictures that may become avatars."""

from typing import Protocol

from libs.events import Context, Worker
from libs.events.catalog import (
    AccountEmailChanged,
    AccountEmailChangeRequested,
    AccountEmailStopOffered,
    AccountIdentityChanged,
    AccountInvited,
    AccountMfaChanged,
    AccountPasswordChanged,
    AccountPasswordVoided,
    AccountResetRequested,
    AccountVerificationRequested,
    MediaDeleted,
    MediaProcessed,
    SessionReused,
    SessionRevoked,
    SessionStarted,
    UserCreated,
    UserSuspended,
    UserUpdated,
    UserVerified,
)
from libs.kernel import DocumentId, UserId
from services.auth.domain import Picture
from services.auth.service import Avatars

worker = Worker(
    "auth",
    emits=[
        AccountMfaChanged,
        AccountEmailChanged,
        AccountEmailChangeRequested,
        AccountEmailStopOffered,
        AccountIdentityChanged,
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


class UseCases(Protocol):
    """What the handlers find in ``context.app``."""

    @property
    def avatars(self) -> Avatars:
        """The projection of pictures."""
        ...


@worker.subscribe(MediaProcessed, MediaDeleted, name="pictures")
async def project_picture(
    event: MediaProcessed | MediaDeleted, context: Context
) -> None:
    """Keep which pictures there are; one that is gone is nobody's avatar."""
    app: UseCases = context.app
    document_id = DocumentId(event.document_id)
    if isinstance(event, MediaDeleted):
        await app.avatars.forget(context.transaction, document_id)
    else:
        picture = Picture(document_id, UserId(event.owner_id))
        await app.avatars.note(context.transaction, picture, event.content_type)
