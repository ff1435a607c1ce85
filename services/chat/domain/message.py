"""Messages, and what a message may be."""

from datetime import datetime

import msgspec

from libs.kernel import ConversationId, DocumentId, MessageId, UserId, is_id
from services.chat.domain.errors import DraftInvalidError, TextTooLongError

TEXT_MAX_CODE_POINTS = 16_000
TEXT_MAX_BYTES = 32 * 1024
ATTACHMENTS_MAX = 10
MENTIONS_MAX = 50


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a sender asks to append.

    Attributes:
        client_message_id: UUID chosen by the client; with conversation and sender
            it names the message for ever, so that a resend finds the first result.
    """

    conversation_id: ConversationId
    sender_id: UserId
    client_message_id: str
    text: str
    attachments: tuple[DocumentId, ...] = ()
    mentions: tuple[UserId, ...] = ()
    reply_to_seq: int | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A stored message.

    Attributes:
        seq: Ordinal in the conversation, contiguous from 1; a tombstone keeps it.
        revision: The conversation's, of the message's last change.
        text: None in a tombstone.
    """

    message_id: MessageId
    conversation_id: ConversationId
    client_message_id: str
    seq: int
    revision: int
    sender_id: UserId
    sent_at: datetime
    text: str | None
    attachments: tuple[DocumentId, ...] = ()
    mentions: tuple[UserId, ...] = ()
    reply_to_seq: int | None = None
    is_deleted: bool = False
    edited_at: datetime | None = None


class Body(msgspec.Struct, frozen=True):
    """What of a message is private; its JSON text is what is encrypted."""

    text: str


def encode_body(text: str) -> str:
    """Return the JSON text that is sealed at rest and in events."""
    return msgspec.json.encode(Body(text)).decode()


def decode_body(encoded: str) -> str:
    """Return the text of an opened body."""
    return msgspec.json.decode(encoded, type=Body).text


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
    if draft.reply_to_seq is not None and draft.reply_to_seq < 1:
        raise DraftInvalidError("reply_invalid", "reply_to_seq counts from 1.")


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
