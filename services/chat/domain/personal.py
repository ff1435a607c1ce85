"""What belongs to one person: memberships, drafts, bookmarks, mutes.

Follows of threads do too; they are in `domain.thread`.

Together they are the user's own stream: a revision of its own counts every change,
and each item carries the revision of its last one. Source: ADR 0026.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.conversation import Member
from services.chat.domain.errors import DraftInvalidError, TextTooLongError
from services.chat.domain.message import check_text

NOTE_MAX_CODE_POINTS = 1_000


class MuteLevel(StrEnum):
    """What of a muted conversation still notifies."""

    ALL = "all"
    MENTIONS = "mentions"
    NONE = "none"


class Mute(msgspec.Struct, frozen=True):
    """How much of a conversation notifies its member, and until when.

    Attributes:
        until: When everything notifies again; None: never by itself.
    """

    level: MuteLevel = MuteLevel.ALL
    until: datetime | None = None


class OwnMembership(msgspec.Struct, frozen=True, kw_only=True):
    """A membership as its own user sees it.

    Attributes:
        user_revision: The user's, of the last change of role, membership, mute, or of
            the marker by other means than sending.
    """

    member: Member
    user_revision: int
    mute: Mute = Mute()


class SavedDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a user is writing in a conversation; one that was cleared stays.

    Attributes:
        thread_seq: Of the message whose thread it is for; 0 is the conversation.
        text: None in a tombstone, and where it does not open any more.
        user_revision: The user's, of the last change.
    """

    user_id: UserId
    conversation_id: ConversationId
    thread_seq: int
    text: str | None
    saved_at: datetime
    is_cleared: bool = False
    user_revision: int = 0


class Bookmark(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a user wants to find again; one that was removed stays.

    Attributes:
        note: The user's own words on it, or None.
        user_revision: The user's, of the last change.
    """

    user_id: UserId
    conversation_id: ConversationId
    message_id: MessageId
    seq: int
    note: str | None
    added_at: datetime
    is_removed: bool = False
    user_revision: int = 0


def check_draft_text(text: str) -> None:
    """Refuse a draft that could never become a message; an empty one is allowed.

    Raises:
        DraftInvalidError: ``text_invalid``.
        TextTooLongError: See `services.chat.domain.message.check_text`.
    """
    check_text(text, is_empty_allowed=True)


def checked_note(note: str | None) -> str | None:
    """Return a note without surrounding space; an empty one is none.

    Raises:
        DraftInvalidError: ``text_invalid``.
        TextTooLongError: Over 1,000 code points.
    """
    stripped = (note or "").strip()
    if len(stripped) > NOTE_MAX_CODE_POINTS:
        raise TextTooLongError(NOTE_MAX_CODE_POINTS, "code points")
    check_text(stripped, is_empty_allowed=True)
    return stripped or None


def checked_mute(level: MuteLevel, until: datetime | None, now: datetime) -> Mute:
    """Return a mute; the level ``all`` has no end.

    Raises:
        DraftInvalidError: ``mute_until_invalid``: the time has passed.
    """
    if level is MuteLevel.ALL:
        return Mute()
    if until is not None and until <= now:
        raise DraftInvalidError("mute_until_invalid", "The time has passed already.")
    return Mute(level, until)
