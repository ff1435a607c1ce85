"""What users show of themselves: a custom status, and when they were last seen."""

import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from libs.kernel import UserId
from services.chat.domain.errors import DraftInvalidError
from services.chat.domain.reactions import checked_emoji

STATUS_MAX_CODE_POINTS = 100
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINER = "\u200d"


class LastSeen(StrEnum):
    """Who may learn when a user was last seen, and whose time the user may learn.

    Contacts are those with whom the user shares a conversation.
    """

    EVERYONE = "everyone"
    CONTACTS = "contacts"
    NOBODY = "nobody"

    def allows(self, *, is_contact: bool) -> bool:
        """Tell whether it is shown to somebody."""
        return self is LastSeen.EVERYONE or (self is LastSeen.CONTACTS and is_contact)


class CustomStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a user says of themselves just now; one of both is there at least.

    Attributes:
        emoji: Or None.
        text: At most 100 code points; perhaps empty.
        expires_at: When it goes by itself; None: it stays.
    """

    emoji: str | None
    text: str
    expires_at: datetime | None

    def holds(self, now: datetime) -> bool:
        """Tell whether it is shown still."""
        return self.expires_at is None or now < self.expires_at


class PresenceCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a user has chosen to show.

    Attributes:
        last_seen: None: the user has never said.
    """

    user_id: UserId
    last_seen: LastSeen | None = None
    custom_status: CustomStatus | None = None


def status_words(status: CustomStatus) -> str:
    """Return what of a status is private, as one text to be sealed."""
    return msgspec.json.encode([status.emoji, status.text]).decode()


def status_of_words(words: str, expires_at: datetime | None) -> CustomStatus:
    """Return the status whose words were sealed."""
    found: list[Any] = msgspec.json.decode(words)
    return CustomStatus(emoji=found[0], text=found[1], expires_at=expires_at)


def checked_status(
    emoji: str | None, text: str, expires_at: datetime | None, now: datetime
) -> CustomStatus:
    """Return a status without surrounding space.

    Raises:
        DraftInvalidError: ``status_empty``, ``status_too_long``, ``status_invalid``
            (control characters and the like), ``emoji_invalid``,
            ``status_expiry_invalid``: the time has passed.
    """
    stripped = " ".join(text.split())
    if not stripped and emoji is None:
        raise DraftInvalidError("status_empty", "Give an emoji or a text.")
    if len(stripped) > STATUS_MAX_CODE_POINTS:
        raise DraftInvalidError(
            "status_too_long",
            f"A status has at most {STATUS_MAX_CODE_POINTS} code points.",
            limit=STATUS_MAX_CODE_POINTS,
        )
    if any(c != _JOINER and unicodedata.category(c) in _HIDDEN for c in stripped):
        raise DraftInvalidError("status_invalid", "A status is plain text.")
    if expires_at is not None and expires_at <= now:
        raise DraftInvalidError("status_expiry_invalid", "The time has passed already.")
    return CustomStatus(
        emoji=None if emoji is None else checked_emoji(emoji),
        text=stripped,
        expires_at=expires_at,
    )
