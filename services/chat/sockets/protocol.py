"""What goes over a socket, as its documents state it; no code path runs through here.

`docs/asyncapi-sockets.json` is made from the dispatcher's routes and these two tables.
A test holds each against what the code writes: an event without its row fails it.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.chat.domain.conversation import Role
from services.chat.schemas import (
    CaughtUpResource,
    CustomStatusResource,
    DraftResource,
    MemberResource,
    MessageResource,
    MuteResource,
    OwnBookmarkResource,
    OwnMembershipResource,
    OwnThreadResource,
    PresenceResource,
    ReactionResource,
    SentMessage,
)


class Told(BaseModel):
    """Base of what the server says; fields it does not name are not sent."""

    model_config = ConfigDict(extra="forbid")


class ErrorDetail(BaseModel):
    """Why an event failed; more fields may follow with the code."""

    code: str
    message: str
    retry_after_seconds: float | None = None
    is_unknown: bool | None = None


class Refusal(Told):
    """Acknowledgement of an event that failed."""

    error: ErrorDetail


class Nothing(Told):
    """Acknowledgement of an event that has no result."""


class ChangedMembership(Told):
    """What of a membership changed."""

    conversation_id: str
    user_revision: int
    role: Role | None = None
    read_seq: int | None = None
    is_active: bool | None = None
    mute: MuteResource | None = None


class ConversationPlace(Told):
    """Where a subscription starts: what comes after `revision` is delivered live."""

    conversation_id: str
    revision: int
    last_seq: int
    read_seq: int


class NotSubscribed(Told):
    """A conversation that is not there, or not for this user."""

    conversation_id: str
    code: str


class Subscribed(Told):
    """Acknowledgement of ``conversation.subscribe``."""

    conversations: list[ConversationPlace]
    errors: list[NotSubscribed]


class OwnPlace(Told):
    """Where following one's own starts: what comes after it is delivered live."""

    user_revision: int


class OwnChange(Told):
    """One item of the user's own stream; fields that are absent stay as they are."""

    user_revision: int
    membership: OwnMembershipResource | ChangedMembership | None = None
    draft: DraftResource | None = None
    bookmark: OwnBookmarkResource | None = None
    thread: OwnThreadResource | None = None


class Marked(Told):
    """Acknowledgement of ``receipt.read``."""

    conversation_id: str
    read_seq: int


class ThreadState(Told):
    """Acknowledgement of ``thread.read`` and ``thread.follow``."""

    conversation_id: str
    thread_seq: int
    is_following: bool
    read_seq: int
    unread: int


class Status(Told):
    """Acknowledgement of ``presence.set``."""

    status: Literal["online", "away"]


class StatusSaid(Told):
    """Acknowledgement of ``status.set``."""

    custom_status: CustomStatusResource


class Presences(Told):
    """Acknowledgement of ``presence.get``; users who are no members are left out."""

    presences: list[PresenceResource]


class Renewed(Told):
    """Acknowledgement of ``token.renew``."""

    expires_at: int


class ChangedMessage(BaseModel):
    """What an edit or a deletion changed; the text of a deleted one is gone."""

    message_id: str
    seq: int
    revision: int
    text: str | None
    mentions: list[str]
    is_deleted: bool


class TouchedMessage(BaseModel):
    """The message that a reaction is of."""

    message_id: str
    seq: int
    revision: int


class PinnedMessage(TouchedMessage):
    """A message with its pin; null once it was taken off."""

    pinned_by: str | None
    pinned_at: datetime | None


class MessageChange(BaseModel):
    """A message that changed, with its place."""

    conversation_id: str
    revision: int
    message: ChangedMessage | MessageResource


class ReactionChange(BaseModel):
    """Who reacts with an emoji now, and who just did or took it back.

    Filled from the database it is the whole message instead.
    """

    conversation_id: str
    revision: int
    message: TouchedMessage | MessageResource
    reaction: ReactionResource | None = None
    user_id: str | None = None
    is_added: bool | None = None


class PinChange(BaseModel):
    """A message that was pinned, or taken off."""

    conversation_id: str
    revision: int
    message: PinnedMessage | MessageResource


class ScheduleFailed(Told):
    """A scheduled message of the user's own was not sent."""

    scheduled_id: str
    conversation_id: str
    code: str


class ConversationChange(BaseModel):
    """A conversation, or what of it changed, with its place."""

    conversation_id: str
    revision: int
    conversation: dict[str, Any] | None = None


class MemberChange(BaseModel):
    """A member who came, left or has another role, with the place."""

    conversation_id: str
    revision: int
    member: MemberResource | dict[str, Any]


class ReadUpTo(Told):
    """How far somebody read."""

    conversation_id: str
    user_id: str
    read_seq: int


class Typing(Told):
    """Somebody types; to be forgotten after that time."""

    conversation_id: str
    user_id: str
    expires_in_seconds: int


class PresenceState(Told):
    """Somebody came, left, is away, or says something else of themselves.

    A field that is absent stays as it is; a custom status that is null is gone.
    """

    user_id: str
    status: Literal["online", "away", "offline"] | None = None
    custom_status: CustomStatusResource | None = None
    changed_at: datetime


class TokenExpiring(Told):
    """The token has expired: renew it in time, or the socket is closed."""

    renew_within_seconds: int


class SessionEnded(Told):
    """The session ended or its token expired; the socket is closed now."""

    reason: Literal["revoked", "expired"]


class Resync(Told):
    """Connect again after that time, subscribe, then catch up by revision."""

    reason: Literal["shutdown", "slow", "rate_limited"]
    reconnect_after_seconds: float


ANSWERS: dict[str, type[BaseModel]] = {
    "conversation.subscribe": Subscribed,
    "conversation.unsubscribe": Nothing,
    "message.delete": Nothing,
    "message.edit": SentMessage,
    "message.forward": SentMessage,
    "message.pin": SentMessage,
    "message.react": SentMessage,
    "message.send": SentMessage,
    "own.subscribe": OwnPlace,
    "presence.get": Presences,
    "presence.set": Status,
    "receipt.read": Marked,
    "status.clear": Nothing,
    "status.set": StatusSaid,
    "sync": CaughtUpResource,
    "thread.follow": ThreadState,
    "thread.read": ThreadState,
    "token.renew": Renewed,
    "typing.start": Nothing,
}
"""The acknowledgement of each event that clients send, where it succeeds."""

EMITTED: dict[str, type[BaseModel]] = {
    "conversation.archived": ConversationChange,
    "conversation.created": ConversationChange,
    "conversation.deleted": ConversationChange,
    "conversation.member_added": MemberChange,
    "conversation.member_removed": MemberChange,
    "conversation.role_changed": MemberChange,
    "conversation.trimmed": ConversationChange,
    "conversation.updated": ConversationChange,
    "message.deleted": MessageChange,
    "message.edited": MessageChange,
    "message.pinned": PinChange,
    "message.reacted": ReactionChange,
    "message.schedule_failed": ScheduleFailed,
    "message.sent": SentMessage,
    "message.unpinned": PinChange,
    "own.changed": OwnChange,
    "presence.changed": PresenceState,
    "receipt.read": ReadUpTo,
    "resync": Resync,
    "session.revoked": SessionEnded,
    "token.expiring": TokenExpiring,
    "typing.started": Typing,
}
"""The payload of each event that the server sends."""
