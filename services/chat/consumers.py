"""What chat emits, and what it hears: users, projects, and its own events, live."""

from typing import Protocol

from libs.events import Context, Event, EventHead, Worker
from libs.events.catalog import (
    BookmarkAdded,
    BookmarkRemoved,
    ConversationArchived,
    ConversationCreated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationMuted,
    ConversationRead,
    ConversationRoleChanged,
    ConversationTrimmed,
    ConversationUpdated,
    DraftCleared,
    DraftSaved,
    ErasureCompleted,
    MediaDeleted,
    MediaProcessed,
    MediaRejected,
    MediaUploaded,
    MessageDeleted,
    MessageEdited,
    MessagePinned,
    MessageReacted,
    MessageScheduleFailed,
    MessageSent,
    MessageUnpinned,
    PresenceChanged,
    ProjectArchived,
    ProjectCollaboratorAdded,
    ProjectCollaboratorRemoved,
    ProjectCreated,
    ProjectDeleted,
    ProjectRoleChanged,
    SessionRevoked,
    StatusChanged,
    ThreadFollowed,
    ThreadRead,
    ThreadUnfollowed,
    UserCreated,
    UserDeleted,
    UserSuspended,
    UserUpdated,
    UserVerified,
)
from libs.kernel import ProjectId, UserId
from services.chat.service.attachments import Attachments, MediaEvent
from services.chat.service.directory import Directory, UserEvent
from services.chat.service.erasure import Erasure
from services.chat.service.feed import LiveFeed
from services.chat.service.own_feed import OwnFeed
from services.chat.service.presence_feed import PresenceFeed
from services.chat.service.projects import ProjectChannels

worker = Worker(
    "chat",
    emits=[
        BookmarkAdded,
        BookmarkRemoved,
        ConversationArchived,
        ConversationCreated,
        ConversationDeleted,
        ConversationMemberAdded,
        ConversationMemberRemoved,
        ConversationMuted,
        ConversationRead,
        ConversationRoleChanged,
        ConversationTrimmed,
        ConversationUpdated,
        DraftCleared,
        DraftSaved,
        ErasureCompleted,
        MessageDeleted,
        MessageEdited,
        MessagePinned,
        MessageReacted,
        MessageScheduleFailed,
        MessageSent,
        MessageUnpinned,
        PresenceChanged,
        StatusChanged,
        ThreadFollowed,
        ThreadRead,
        ThreadUnfollowed,
    ],
)


class EndedSessions(Protocol):
    """Hears of sessions that end; `libs.chassis.SessionWatch`."""

    async def handle_event(self, event: SessionRevoked, context: object = None) -> None:
        """Take a live event."""
        ...


class ChatUseCases(Protocol):
    """What the handlers find in ``context.app``."""

    @property
    def directory(self) -> Directory:
        """The projection of users."""
        ...

    @property
    def erasure(self) -> Erasure:
        """What erases users."""
        ...

    @property
    def attachments(self) -> Attachments:
        """The projection of documents."""
        ...

    @property
    def channels(self) -> ProjectChannels:
        """The channels of projects."""
        ...

    @property
    def feed(self) -> LiveFeed:
        """Live delivery."""
        ...

    @property
    def presence_feed(self) -> PresenceFeed:
        """Live delivery of who is there."""
        ...

    @property
    def own_feed(self) -> OwnFeed:
        """Live delivery of users' own streams."""
        ...

    @property
    def sessions(self) -> EndedSessions:
        """Sessions that end."""
        ...


@worker.subscribe(
    UserCreated, UserVerified, UserUpdated, UserSuspended, UserDeleted, name="users"
)
async def project_user(event: UserEvent, context: Context) -> None:
    """Keep the newest facts of a user; erase one who is gone."""
    await _app(context).directory.apply(event, session=context.session)
    if isinstance(event, UserDeleted):
        user_id = UserId(event.user_id)
        await _app(context).erasure.request(context.transaction, user_id)


@worker.subscribe(
    MediaUploaded, MediaProcessed, MediaRejected, MediaDeleted, name="documents"
)
async def project_document(event: MediaEvent, context: Context) -> None:
    """Keep who may attach a document, and whether anybody may."""
    await _app(context).attachments.apply(event, session=context.session)


@worker.subscribe(ProjectCreated, name="project-created")
async def open_general(event: ProjectCreated, context: Context) -> None:
    """Open the project's channel with its owner."""
    await _app(context).channels.put_collaborator(
        context.transaction,
        ProjectId(event.project_id),
        UserId(event.owner_id),
        role="owner",
        revision=event.revision,
    )


@worker.subscribe(
    ProjectCollaboratorAdded, ProjectRoleChanged, name="project-collaborators"
)
async def put_collaborator(
    event: ProjectCollaboratorAdded | ProjectRoleChanged, context: Context
) -> None:
    """Make a collaborator a member of the project's channel."""
    await _app(context).channels.put_collaborator(
        context.transaction,
        ProjectId(event.project_id),
        UserId(event.user_id),
        role=event.role,
        revision=event.revision,
    )


@worker.subscribe(
    ProjectCollaboratorRemoved,
    name="project-collaborator-removed",
    in_transaction=False,  # a commit for each conversation; a repetition goes on
)
async def remove_collaborator(
    event: ProjectCollaboratorRemoved, context: Context
) -> None:
    """Take a collaborator out of the project's conversations."""
    await _app(context).channels.remove_collaborator(
        ProjectId(event.project_id),
        UserId(event.user_id),
        revision=event.revision,
    )


@worker.subscribe(
    ProjectArchived, ProjectDeleted, name="project-archived", in_transaction=False
)
async def close_channels(
    event: ProjectArchived | ProjectDeleted, context: Context
) -> None:
    """Make an archived project's conversations read-only, delete a deleted one's."""
    channels, project_id = _app(context).channels, ProjectId(event.project_id)
    if isinstance(event, ProjectDeleted):
        await channels.dissolve(project_id, revision=event.revision)
    else:
        await channels.archive(
            project_id, is_archived=event.is_archived, revision=event.revision
        )


def is_news(app: ChatUseCases, head: EventHead) -> bool:
    """Tell whether an event of the stream is to be opened."""
    return app.feed.awaits(head)


@worker.subscribe_live(
    MessageSent,
    MessageEdited,
    MessageDeleted,
    MessageReacted,
    MessagePinned,
    MessageUnpinned,
    ConversationCreated,
    ConversationUpdated,
    ConversationArchived,
    ConversationDeleted,
    ConversationTrimmed,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRoleChanged,
    name="stream",
    wanted=is_news,
)
async def deliver(event: Event, context: Context) -> None:
    """Deliver what has a revision; one queue, so that it mostly comes in order."""
    app = _app(context)
    app.feed.take(event, context.event_id)
    if not isinstance(event, MessageSent):  # most of all events, and nobody's own
        app.own_feed.take(event)


@worker.subscribe_live(
    ConversationRead,
    PresenceChanged,
    StatusChanged,
    MessageScheduleFailed,
    ConversationMuted,
    DraftSaved,
    DraftCleared,
    BookmarkAdded,
    BookmarkRemoved,
    ThreadFollowed,
    ThreadUnfollowed,
    ThreadRead,
    name="people",
)
async def deliver_person(event: Event, context: Context) -> None:
    """Deliver what people read, whether they are there, and what is theirs alone."""
    app = _app(context)
    app.own_feed.take(event)
    if isinstance(event, ConversationRead):
        app.feed.read(event)
    elif isinstance(event, MessageScheduleFailed):
        app.feed.schedule_failed(event)
    elif isinstance(event, PresenceChanged):
        app.presence_feed.presence(event)
    elif isinstance(event, StatusChanged):
        app.presence_feed.status(event, context.event_id)


@worker.subscribe_live(SessionRevoked, name="sessions")
async def end_session(event: SessionRevoked, context: Context) -> None:
    """Close the sockets of a session that ended."""
    await _app(context).sessions.handle_event(event)


def _app(context: Context) -> ChatUseCases:
    app: ChatUseCases = context.app
    return app
