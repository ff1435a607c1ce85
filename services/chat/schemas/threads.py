"""Wire models of threads, of forwarding and of scheduled messages."""

from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, BaseModel, Field

from services.chat.domain.message import MentionKind
from services.chat.domain.scheduled import Scheduled, ScheduledState
from services.chat.schemas.fields import IdText, RequestModel, SeqNumber
from services.chat.schemas.messages import MessageResource, message_resource
from services.chat.service.threads import Thread


class ThreadResource(BaseModel):
    """A thread as the caller sees it; `unread` is counted while it is followed."""

    thread_seq: int
    root: MessageResource
    is_following: bool
    read_seq: int
    unread: int

    @classmethod
    def of(cls, thread: Thread) -> Self:
        """Return a thread as it is shown."""
        return cls(
            thread_seq=thread.root.seq,
            root=message_resource(thread.root),
            is_following=thread.is_following,
            read_seq=thread.read_seq,
            unread=thread.unread,
        )


class ReadThread(RequestModel):
    """Body of PUT /conversations/{id}/threads/{thread_seq}/read."""

    seq: SeqNumber


class ForwardMessage(RequestModel):
    """Body of POST /conversations/{id}/forwards."""

    client_message_id: IdText
    from_conversation_id: IdText
    message_id: IdText
    thread_seq: SeqNumber | None = None


class ScheduleMessage(RequestModel):
    """Body of POST /conversations/{id}/scheduled."""

    due_at: AwareDatetime
    text: str = Field(max_length=64_000)
    attachments: list[IdText] = Field(default_factory=list, max_length=200)
    mentions: list[IdText] = Field(default_factory=list, max_length=200)
    mention_kinds: list[MentionKind] = Field(default_factory=list, max_length=2)
    reply_to_seq: SeqNumber | None = None
    thread_seq: SeqNumber | None = None


class ChangeScheduled(RequestModel):
    """Body of PATCH /scheduled/{scheduled_id}; what is absent stays."""

    due_at: AwareDatetime | None = None
    text: str | None = Field(default=None, max_length=64_000)


class ScheduledResource(BaseModel):
    """A message that waits for its time; `code` tells why it was not sent."""

    scheduled_id: str
    conversation_id: str
    due_at: datetime
    state: ScheduledState
    code: str | None
    text: str
    attachments: list[str]
    mentions: list[str]
    mention_kinds: list[MentionKind]
    reply_to_seq: int | None
    thread_seq: int | None

    @classmethod
    def of(cls, scheduled: Scheduled) -> Self:
        """Return a scheduled message as its sender sees it."""
        draft = scheduled.draft
        return cls(
            scheduled_id=scheduled.scheduled_id,
            conversation_id=draft.conversation_id,
            due_at=scheduled.due_at,
            state=scheduled.state,
            code=scheduled.code,
            text=draft.text,
            attachments=list(draft.attachments),
            mentions=list(draft.mentions),
            mention_kinds=list(draft.mention_kinds),
            reply_to_seq=draft.reply_to_seq,
            thread_seq=draft.thread_seq,
        )
