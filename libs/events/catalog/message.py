"""``message.events``: messages and what happens to them; emitted by chat.

``content`` is the JSON text of the message body sealed with the message-transport
ring. ``seq`` is the ordinal in the conversation, ``revision`` the conversation's.
"""

from datetime import datetime
from typing import Any

import msgspec

from libs.crypto.sealed import Sealed
from libs.events.event import Event, upcast


class ForwardOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """Which message a forwarded one is a copy of; its reader may not see it."""

    conversation_id: str
    message_id: str
    sender_id: str
    sent_at: datetime


class MessageSent(Event, type="message.sent", version=2, key="conversation_id"):
    """A message was committed; mentions are user ids.

    ``kind`` is text or system: the content of a system message is the JSON text of
    what happened, ``type`` first, and its sender is who did it. ``thread_seq`` is
    the seq of the message whose thread it answers in; ``mention_kinds`` has here
    and all for everybody who is there, or everybody.
    """

    conversation_id: str
    message_id: str
    client_message_id: str
    seq: int
    revision: int
    sender_id: str
    sent_at: datetime
    kind: str
    content: Sealed
    mentions: tuple[str, ...]
    mention_kinds: tuple[str, ...]
    attachments: tuple[str, ...]
    reply_to_seq: int | None
    thread_seq: int | None
    forwarded_from: ForwardOrigin | None


class MessageEdited(Event, type="message.edited", version=2, key="conversation_id"):
    """The body changed."""

    conversation_id: str
    message_id: str
    seq: int
    revision: int
    edited_by: str
    edited_at: datetime
    content: Sealed
    mentions: tuple[str, ...]
    mention_kinds: tuple[str, ...]


class MessageDeleted(Event, type="message.deleted", version=1, key="conversation_id"):
    """The body is gone; a tombstone keeps its seq."""

    conversation_id: str
    message_id: str
    seq: int
    revision: int
    deleted_by: str


class MessageReacted(Event, type="message.reacted", version=2, key="conversation_id"):
    """A reaction was added or taken back.

    ``user_ids`` and ``count`` tell who reacts with this emoji now: the first 50 in
    the order of their reactions, and how many they are.
    """

    conversation_id: str
    message_id: str
    seq: int
    revision: int
    user_id: str
    emoji: str
    is_added: bool
    user_ids: tuple[str, ...]
    count: int


class MessagePinned(Event, type="message.pinned", version=1, key="conversation_id"):
    """A message was pinned to its conversation."""

    conversation_id: str
    message_id: str
    seq: int
    revision: int
    pinned_by: str
    pinned_at: datetime


class MessageUnpinned(Event, type="message.unpinned", version=1, key="conversation_id"):
    """A pinned message was taken off."""

    conversation_id: str
    message_id: str
    seq: int
    revision: int
    unpinned_by: str


class MessageScheduleFailed(
    Event, type="message.schedule_failed", version=1, key="user_id"
):
    """A scheduled message could not be sent; ``code`` is a stable slug.

    It is no change of the conversation, so it has no revision.
    """

    user_id: str
    scheduled_id: str
    conversation_id: str
    code: str


@upcast(MessageSent, from_version=1)
def _sent_2(payload: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew texts of the main stream alone."""
    return {
        **payload,
        "kind": "text",
        "mention_kinds": [],
        "thread_seq": None,
        "forwarded_from": None,
    }


@upcast(MessageEdited, from_version=1)
def _edited_2(payload: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew mentions of users alone."""
    return {**payload, "mention_kinds": []}


@upcast(MessageReacted, from_version=1)
def _reacted_2(payload: dict[str, Any]) -> dict[str, Any]:
    """Version 1 named the one who reacted alone, and nothing ever emitted it."""
    user_ids = [payload["user_id"]] if payload["is_added"] else []
    return {**payload, "user_ids": user_ids, "count": len(user_ids)}
