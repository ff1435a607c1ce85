"""Events in: who may see what, checks of uploads, removal of deleted bytes."""

from datetime import timedelta
from typing import Protocol

from libs.events import Context, Retry, Worker
from libs.events.bus import Batch
from libs.events.catalog.conversation import (
    ConversationArchived,
    ConversationCreated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRoleChanged,
)
from libs.events.catalog.erasure import ErasureCompleted
from libs.events.catalog.media import (
    MediaDeleted,
    MediaProcessed,
    MediaRejected,
    MediaUploaded,
)
from libs.events.catalog.project import (
    ProjectArchived,
    ProjectCollaboratorAdded,
    ProjectCollaboratorRemoved,
    ProjectCreated,
    ProjectDeleted,
    ProjectRoleChanged,
)
from libs.events.catalog.user import UserDeleted, UserSuspended, UserUpdated
from libs.events.event import Event
from services.media.domain import (
    MembershipChange,
    ScopeChange,
    conversation_scope,
    project_scope,
)
from services.media.ports import AccessRepository
from services.media.service import DocumentService, PersonErasure, ProcessingService

worker = Worker(
    "media",
    emits=[
        ErasureCompleted,
        MediaUploaded,
        MediaProcessed,
        MediaRejected,
        MediaDeleted,
    ],
)

_PATIENT = Retry(immediate=1, delays=("1s", "10s", "1m", "10m", "1h"))
"""For work on the store, which may be away for a while."""


class UseCases(Protocol):
    """What the handlers need of the application."""

    @property
    def access(self) -> AccessRepository:
        """The projection they write."""
        ...

    @property
    def documents(self) -> DocumentService:
        """Removal of bytes."""
        ...

    @property
    def erasure(self) -> PersonErasure:
        """Erasure of people who are gone."""
        ...

    @property
    def processing(self) -> ProcessingService:
        """Checks of uploads."""
        ...


Changes = tuple[list[MembershipChange], list[ScopeChange]]


@worker.subscribe_batch(
    ConversationCreated,
    ConversationArchived,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRoleChanged,
    ProjectCreated,
    ProjectArchived,
    ProjectDeleted,
    ProjectCollaboratorAdded,
    ProjectCollaboratorRemoved,
    ProjectRoleChanged,
    name="access-projection",
    max_size=200,
)
async def project_access(batch: Batch[Event]) -> None:
    """Keep who is in which conversation or project; any order will do."""
    members: list[MembershipChange] = []
    scopes: list[ScopeChange] = []
    for item in batch.items:
        new_members, new_scopes = access_changes(item.event)
        members += new_members
        scopes += new_scopes
    app: UseCases = batch.items[0].context.app
    await app.access.apply(members, scopes, session=batch.session)


@worker.subscribe(UserUpdated, name="avatars")
async def project_avatar(event: UserUpdated, context: Context) -> None:
    """Keep which picture a user shows: it is for everybody to see."""
    app: UseCases = context.app
    await app.access.put_avatar(
        event.user_id,
        event.avatar_document_id,
        event.revision,
        session=context.session,
    )


@worker.subscribe(UserSuspended, name="suspensions")
async def project_suspension(event: UserSuspended, context: Context) -> None:
    """Keep who is kept out: they are handed nothing any more (SR-6)."""
    app: UseCases = context.app
    await app.access.put_suspension(
        event.user_id,
        event.revision,
        is_suspended=event.is_suspended,
        session=context.session,
    )


@worker.subscribe(
    UserDeleted,
    name="erasures",
    in_transaction=False,
    concurrency=1,
    deadline=timedelta(minutes=5),
    retry=_PATIENT,
)
async def erase_person(event: UserDeleted, context: Context) -> None:
    """Erase what is a person's alone, and answer."""
    app: UseCases = context.app
    await app.erasure.erase(event.user_id, event.revision)


@worker.subscribe(
    MediaUploaded,
    name="process-uploads",
    in_transaction=False,
    concurrency=2,
    prefetch=4,
    deadline=timedelta(seconds=60),
    retry=_PATIENT,
)
async def process_upload(event: MediaUploaded, context: Context) -> None:
    """Check what was uploaded and make its renditions."""
    app: UseCases = context.app
    await app.processing.process_upload(event.document_id)


@worker.subscribe(
    MediaDeleted,
    name="erase-bytes",
    in_transaction=False,
    retry=_PATIENT,
)
async def erase_bytes(event: MediaDeleted, context: Context) -> None:
    """Remove the objects of a deleted document."""
    app: UseCases = context.app
    await app.documents.erase_bytes(event.document_id)


@worker.subscribe(
    ConversationDeleted,
    ProjectDeleted,
    name="delete-scopes",
    in_transaction=False,
    concurrency=1,
    deadline=timedelta(minutes=5),
    retry=_PATIENT,
)
async def delete_scope(
    event: ConversationDeleted | ProjectDeleted, context: Context
) -> None:
    """Delete the documents of a conversation or project that is gone."""
    app: UseCases = context.app
    if isinstance(event, ConversationDeleted):
        scope = conversation_scope(event.conversation_id)
    else:
        scope = project_scope(event.project_id)
    await app.documents.delete_scope(scope, event.deleted_by)


def access_changes(event: Event) -> Changes:
    """Return what an event says about who may see what."""
    return (
        _conversation_changes(event)
        if _is_conversation(event)
        else (_project_changes(event))
    )


def _is_conversation(event: Event) -> bool:
    return event.event_type.startswith("conversation.")


def _conversation_changes(event: Event) -> Changes:
    match event:
        case ConversationCreated(conversation_id=home, members=members):
            return [
                MembershipChange(
                    conversation_scope(home), user_id, event.revision, role
                )
                for user_id, role in members
            ], []
        case ConversationMemberAdded() | ConversationRoleChanged():
            return [_conversation_member(event, event.role)], []
        case ConversationMemberRemoved():
            return [_conversation_member(event, None)], []
        case ConversationArchived(conversation_id=home, is_archived=is_archived):
            scope = conversation_scope(home)
            return [], [ScopeChange(scope, event.revision, is_archived=is_archived)]
        case ConversationDeleted(conversation_id=home):
            scope = conversation_scope(home)
            return [], [ScopeChange(scope, event.revision, is_deleted=True)]
        case _:
            return [], []


def _project_changes(event: Event) -> Changes:
    match event:
        case ProjectCreated(project_id=home, owner_id=owner_id):
            scope = project_scope(home)
            return [MembershipChange(scope, owner_id, event.revision, "owner")], []
        case ProjectCollaboratorAdded() | ProjectRoleChanged():
            return [_collaborator(event, event.role)], []
        case ProjectCollaboratorRemoved():
            return [_collaborator(event, None)], []
        case ProjectArchived(project_id=home, is_archived=is_archived):
            scope = project_scope(home)
            return [], [ScopeChange(scope, event.revision, is_archived=is_archived)]
        case ProjectDeleted(project_id=home):
            return [], [
                ScopeChange(project_scope(home), event.revision, is_deleted=True)
            ]
        case _:
            return [], []


def _conversation_member(
    event: ConversationMemberAdded
    | ConversationMemberRemoved
    | ConversationRoleChanged,
    role: str | None,
) -> MembershipChange:
    scope = conversation_scope(event.conversation_id)
    return MembershipChange(scope, event.user_id, event.revision, role)


def _collaborator(
    event: ProjectCollaboratorAdded | ProjectCollaboratorRemoved | ProjectRoleChanged,
    role: str | None,
) -> MembershipChange:
    scope = project_scope(event.project_id)
    return MembershipChange(scope, event.user_id, event.revision, role)
