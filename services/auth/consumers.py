"""What auth emits, and what it hears.

Pictures that may become avatars, and the answers of those who erase their part of a
person.
"""

from typing import Protocol

from libs.events import Context, Worker
from libs.events.catalog import (
    AccountDeletionCancelled,
    AccountDeletionRequested,
    AccountEmailChanged,
    AccountEmailChangeRequested,
    AccountEmailStopOffered,
    AccountIdentityChanged,
    AccountInvited,
    AccountMfaChanged,
    AccountPasswordChanged,
    AccountPasswordGuessed,
    AccountPasswordVoided,
    AccountResetRequested,
    AccountSessionReused,
    AccountVerificationRequested,
    ErasureCompleted,
    MediaDeleted,
    MediaProcessed,
    SessionReused,
    SessionRevoked,
    SessionStarted,
    UserCreated,
    UserDeleted,
    UserSuspended,
    UserUpdated,
    UserVerified,
)
from libs.kernel import DocumentId, UserId
from services.auth.domain import Picture
from services.auth.service import Avatars, ErasureReport

worker = Worker(
    "auth",
    emits=[
        AccountDeletionCancelled,
        AccountDeletionRequested,
        AccountMfaChanged,
        AccountEmailChanged,
        AccountEmailChangeRequested,
        AccountEmailStopOffered,
        AccountIdentityChanged,
        AccountInvited,
        AccountPasswordChanged,
        AccountPasswordGuessed,
        AccountPasswordVoided,
        AccountResetRequested,
        AccountSessionReused,
        AccountVerificationRequested,
        SessionReused,
        SessionRevoked,
        SessionStarted,
        UserCreated,
        UserDeleted,
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

    @property
    def erasure_report(self) -> ErasureReport:
        """Who has erased their part of whom."""
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


@worker.subscribe(ErasureCompleted, name="erasure-answers")
async def note_answer(event: ErasureCompleted, context: Context) -> None:
    """Keep that a service has erased its part; the first answer counts."""
    app: UseCases = context.app
    await app.erasure_report.note_answer(event, context.occurred_at, context.session)
