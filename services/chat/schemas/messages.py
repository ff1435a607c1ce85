"""Wire models of messages."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from services.chat.domain.message import MentionKind, Message, MessageKind
from services.chat.domain.notice import NoticeType
from services.chat.schemas.fields import IdText, RequestModel, SeqNumber
from services.chat.service.history import History
from services.chat.service.wire import message_event, message_wire


class SendMessage(RequestModel):
    """Body of POST /conversations/{id}/messages."""

    client_message_id: IdText
    text: str = Field(max_length=64_000)
    attachments: list[IdText] = Field(default_factory=list, max_length=200)
    mentions: list[IdText] = Field(default_factory=list, max_length=200)
    mention_kinds: list[MentionKind] = Field(default_factory=list, max_length=2)
    reply_to_seq: SeqNumber | None = None
    thread_seq: SeqNumber | None = None


class EditMessage(RequestModel):
    """Body of PATCH /conversations/{id}/messages/{message_id}."""

    text: str = Field(max_length=64_000)
    mentions: list[IdText] = Field(default_factory=list, max_length=200)
    mention_kinds: list[MentionKind] = Field(default_factory=list, max_length=2)


class NoticeResource(BaseModel):
    """What a system message tells; its sender is who did it."""

    type: NoticeType
    user_id: str | None
    title: str | None


class OriginResource(BaseModel):
    """Which message a forwarded one is a copy of; not everybody may see it."""

    conversation_id: str
    message_id: str
    sender_id: str
    sent_at: datetime


class ReactionResource(BaseModel):
    """Who reacts with an emoji: the first 50, and how many they are."""

    emoji: str
    user_ids: list[str]
    count: int


class MessageResource(BaseModel):
    """A message; `text` is null in a tombstone and in a system message."""

    message_id: str
    client_message_id: str
    seq: int
    revision: int
    kind: MessageKind
    sender_id: str
    sent_at: datetime
    text: str | None
    notice: NoticeResource | None
    attachments: list[str]
    mentions: list[str]
    mention_kinds: list[MentionKind]
    reply_to_seq: int | None
    thread_seq: int | None
    forwarded_from: OriginResource | None
    reactions: list[ReactionResource]
    pinned_by: str | None
    pinned_at: datetime | None
    reply_count: int
    last_reply_seq: int | None
    edit_count: int
    is_deleted: bool
    edited_at: datetime | None


class SentMessage(BaseModel):
    """A message with its place, as it is delivered live too."""

    conversation_id: str
    revision: int
    message: MessageResource


class MessagePage(BaseModel):
    """A page of history in the order of seq.

    `has_more` is about the side that was asked for.
    """

    items: list[MessageResource]
    has_more: bool
    has_before: bool
    has_after: bool

    @classmethod
    def of(cls, history: History) -> Self:
        """Return a page as it is shown."""
        return cls(
            items=[message_resource(message) for message in history.messages],
            has_more=history.has_more,
            has_before=history.has_before,
            has_after=history.has_after,
        )


class VersionResource(BaseModel):
    """What a message said before an edit."""

    number: int
    text: str
    written_at: datetime


def message_resource(message: Message) -> MessageResource:
    """Return a message as it is shown."""
    return MessageResource.model_validate(message_wire(message))


def sent_message(message: Message) -> SentMessage:
    """Return a message with its place."""
    return SentMessage.model_validate(message_event(message))
