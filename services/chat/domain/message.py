"""Messages, and what a message may be."""

from datetime import datetime
from enum import StrEnum

import msgspec

from libs.kernel import ConversationId, DocumentId, MessageId, UserId, is_id
from services.chat.domain.errors import DraftInvalidError, TextTooLongError
from services.chat.domain.notice import Notice, encode_notice
from services.chat.domain.reactions import Reaction

TEXT_MAX_CODE_POINTS = 16_000
TEXT_MAX_BYTES = 32 * 1024
ATTACHMENTS_MAX = 10
MENTIONS_MAX = 50


class MessageKind(StrEnum):
    """Who speaks: a person, or the house about what somebody did."""

    TEXT = "text"
    SYSTEM = "system"


class MentionKind(StrEnum):
    """Mentions of many: who is there now, or every member."""

    HERE = "here"
    ALL = "all"


class MessageChange(StrEnum):
    """What a message's revision stands for: its last change."""

    SENT = "sent"
    EDITED = "edited"
    DELETED = "deleted"
    REACTED = "reacted"
    PINNED = "pinned"
    UNPINNED = "unpinned"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Which message a forwarded one is a copy of.

    Ids alone: who is no member of the origin's conversation learns nothing of it by
    them, since for such a one it does not exist.
    """

    conversation_id: ConversationId
    message_id: MessageId
    sender_id: UserId
    sent_at: datetime


class Pin(msgspec.Struct, frozen=True):
    """Who pinned a message to its conversation, and when."""

    user_id: UserId
    pinned_at: datetime


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a sender asks to append.

    Attributes:
        client_message_id: UUID chosen by the client; with conversation and sender
            it names the message for ever, so that a resend finds the first result.
        mention_kinds: Mentions of many, beside those of users.
        reply_to_seq: Any message that it quotes.
        thread_seq: The message in whose thread it answers, itself in none.
        thread_author_id: Who wrote that one; filled in by `drafts.Checks`.
        forwarded_from: What it is a copy of.
    """

    conversation_id: ConversationId
    sender_id: UserId
    client_message_id: str
    text: str
    attachments: tuple[DocumentId, ...] = ()
    mentions: tuple[UserId, ...] = ()
    mention_kinds: tuple[MentionKind, ...] = ()
    reply_to_seq: int | None = None
    thread_seq: int | None = None
    thread_author_id: UserId | None = None
    forwarded_from: Origin | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A stored message.

    Attributes:
        seq: Ordinal in the conversation, contiguous from 1; a tombstone keeps it.
        revision: The conversation's, of the message's last change.
        sender_id: Of a system message: who did what it tells.
        text: None in a tombstone and in a system message.
        notice: What a system message tells; None in others.
        reactions: In the order of each emoji's first use.
        reply_count: Messages of its thread, tombstones too; moves with them and is
            no change of the message.
        last_reply_seq: The newest of them.
        edit_count: Earlier versions, kept or not.
        last_change: What `revision` stands for.
    """

    message_id: MessageId
    conversation_id: ConversationId
    client_message_id: str
    seq: int
    revision: int
    sender_id: UserId
    sent_at: datetime
    text: str | None
    kind: MessageKind = MessageKind.TEXT
    notice: Notice | None = None
    attachments: tuple[DocumentId, ...] = ()
    mentions: tuple[UserId, ...] = ()
    mention_kinds: tuple[MentionKind, ...] = ()
    reply_to_seq: int | None = None
    thread_seq: int | None = None
    forwarded_from: Origin | None = None
    reactions: tuple[Reaction, ...] = ()
    pin: Pin | None = None
    reply_count: int = 0
    last_reply_seq: int | None = None
    edit_count: int = 0
    is_deleted: bool = False
    edited_at: datetime | None = None
    last_change: MessageChange = MessageChange.SENT


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What a message said before an edit; they are numbered from 1.

    Attributes:
        written_at: When it was sent, or edited to say so.
    """

    number: int
    text: str
    written_at: datetime


class Body(msgspec.Struct, frozen=True):
    """What of a message is private; its JSON text is what is encrypted."""

    text: str


def encode_body(text: str) -> str:
    """Return the JSON text of a text message, sealed at rest and in events."""
    return msgspec.json.encode(Body(text)).decode()


def decode_body(encoded: str) -> str:
    """Return the text of an opened body."""
    return msgspec.json.decode(encoded, type=Body).text


def content_of(message: Message) -> str | None:
    """Return what is sealed of a message; None: it is a tombstone."""
    if message.notice is not None:
        return encode_notice(message.notice)
    return None if message.text is None else encode_body(message.text)


def tombstone(message: Message, revision: int) -> Message:
    """Return what is left of a deleted message: its place, and its thread's."""
    return msgspec.structs.replace(
        message,
        text=None,
        notice=None,
        attachments=(),
        mentions=(),
        mention_kinds=(),
        forwarded_from=None,
        reactions=(),
        pin=None,
        is_deleted=True,
        last_change=MessageChange.DELETED,
        revision=revision,
    )


def check_text(text: str, *, is_empty_allowed: bool = False) -> None:
    """Refuse a body that is empty, too long, or not storable as UTF-8.

    Raises:
        DraftInvalidError: ``text_empty`` or ``text_invalid``.
        TextTooLongError: Over 16,000 code points or 32 KiB of UTF-8.
    """
    if not is_empty_allowed and not text.strip():
        raise DraftInvalidError("text_empty", "A message needs a text.")
    if len(text) > TEXT_MAX_CODE_POINTS:
        raise TextTooLongError(TEXT_MAX_CODE_POINTS, "code points")
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError as error:
        raise DraftInvalidError("text_invalid", "The text is not Unicode.") from error
    if size_bytes > TEXT_MAX_BYTES:
        raise TextTooLongError(TEXT_MAX_BYTES, "bytes")


def check_draft(draft: Draft) -> None:
    """Refuse a draft that can never be stored.

    Raises:
        DraftInvalidError: With the code of the first rule that is broken.
        TextTooLongError: See `check_text`.
    """
    check_text(draft.text, is_empty_allowed=bool(draft.attachments))
    if not is_id(draft.client_message_id):
        raise DraftInvalidError(
            "client_message_id_invalid", "client_message_id must be a UUID."
        )
    if len(draft.attachments) > ATTACHMENTS_MAX:
        raise DraftInvalidError(
            "too_many_attachments",
            f"A message has at most {ATTACHMENTS_MAX} attachments.",
            limit=ATTACHMENTS_MAX,
        )
    check_mentions(draft.mentions)
    if not all(map(is_id, draft.attachments)):
        raise DraftInvalidError("attachment_invalid", "An attachment is no id.")
    if any(
        seq is not None and seq < 1 for seq in (draft.reply_to_seq, draft.thread_seq)
    ):
        raise DraftInvalidError("reply_invalid", "A seq counts from 1.")


def check_mentions(mentions: tuple[UserId, ...]) -> None:
    """Refuse too many mentions, or one that is no user id.

    Raises:
        DraftInvalidError: ``too_many_mentions`` or ``mention_invalid``.
    """
    if len(mentions) > MENTIONS_MAX:
        raise DraftInvalidError(
            "too_many_mentions",
            f"A message has at most {MENTIONS_MAX} mentions.",
            limit=MENTIONS_MAX,
        )
    if not all(map(is_id, mentions)):
        raise DraftInvalidError("mention_invalid", "A mention is no user id.")
