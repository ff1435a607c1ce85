"""``message.events``: messages and what happens to them; emitted by chat.

``content`` is the JSON text of the message body sealed with the message-transport
ring. ``seq`` is the ordinal in the conversation, ``revision`` the conversation's.
"""

from datetime import datetime

from libs.crypto.sealed import Sealed
from libs.events.event import Event


class MessageSent(Event, type="message.sent", version=1, key="conversation_id"):
    """A message was committed; mentions are user ids."""

    conversation_id: str
    message_id: str
    client_message_id: str
    seq: int
    revision: int
    sender_id: str
    sent_at: datetime
    content: Sealed
    mentions: tuple[str, ...]
    attachments: tuple[str, ...]
    reply_to_seq: int | None


class MessageEdited(Event, type="message.edited", version=1, key="conversation_id"):
    """The body changed."""

    conversation_id: str
    message_id: str
    seq: int
    revision: int
    edited_by: str
    edited_at: datetime
    content: Sealed
    mentions: tuple[str, ...]


class MessageDeleted(Event, type="message.deleted", version=1, key="conversation_id"):
    """The body is gone; a tombstone keeps its seq."""

    conversation_id: str
    message_id: str
    seq: int
    revision: int
    deleted_by: str


class MessageReacted(Event, type="message.reacted", version=1, key="conversation_id"):
    """A reaction was added or taken back."""

    conversation_id: str
    message_id: str
    seq: int
    revision: int
    user_id: str
    emoji: str
    is_added: bool
