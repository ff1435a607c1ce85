"""Conversations, members and excerpts, as projected from chat's events."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from libs.kernel import ConversationId, MessageId, UserId

EXCERPT_MAX_CHARACTERS = 500


class ConversationKind(StrEnum):
    """How many people talk, and who is told by default."""

    DIRECT = "direct"
    GROUP = "group"
    CHANNEL = "channel"


@dataclass(frozen=True)
class Conversation:
    """A known conversation.

    Attributes:
        title: None for a direct conversation, or where none was given.
        is_deleted: A tombstone: nobody is told of it any more.
    """

    conversation_id: ConversationId
    kind: ConversationKind
    title: str | None = None
    is_deleted: bool = False


class MuteLevel(StrEnum):
    """What of a muted conversation is still pushed and mailed."""

    ALL = "all"
    MENTIONS = "mentions"
    NONE = "none"


@dataclass(frozen=True)
class Member:
    """A user's place in a conversation.

    Attributes:
        is_member: False after a removal, and while only a read marker is known.
        read_seq: Highest sequence the user has read; 0 where none is known.
        mute_level: Holds until `muted_until`; None: until it is lifted.
    """

    conversation_id: ConversationId
    user_id: UserId
    is_member: bool = True
    read_seq: int = 0
    mute_level: MuteLevel = MuteLevel.ALL
    muted_until: datetime | None = None

    def level_at(self, now: datetime) -> MuteLevel:
        """Return what is pushed and mailed at a time."""
        is_over = self.muted_until is not None and self.muted_until <= now
        return MuteLevel.ALL if is_over else self.mute_level


@dataclass(frozen=True)
class MembershipChange:
    """A member came or went at a revision of the conversation."""

    conversation_id: ConversationId
    user_id: UserId
    revision: int
    is_member: bool


@dataclass(frozen=True)
class MuteChange:
    """A user muted a conversation, or does not any more.

    Attributes:
        revision: Of the user's own stream.
    """

    conversation_id: ConversationId
    user_id: UserId
    revision: int
    level: MuteLevel
    until: datetime | None


@dataclass(frozen=True)
class ReadMark:
    """A user has read up to a sequence of a conversation."""

    conversation_id: ConversationId
    user_id: UserId
    read_seq: int


@dataclass(frozen=True)
class Excerpt:
    """The beginning of a message, kept once however many people are told of it.

    Attributes:
        seq: Ordinal in the conversation, from 1.
        revision: Of the message's last change that was seen.
        text: At most `EXCERPT_MAX_CHARACTERS`; empty for attachments alone.
        is_deleted: The message was taken back; `text` is empty then.
        is_early: Only an edit of the message was seen: sender and time are the edit's.
    """

    message_id: MessageId
    conversation_id: ConversationId
    seq: int
    revision: int
    sender_id: UserId
    sent_at: datetime
    text: str
    has_attachments: bool = False
    is_deleted: bool = False
    is_early: bool = False


@dataclass(frozen=True)
class SentMessage:
    """A message.sent, opened.

    Attributes:
        mentions: Who is mentioned by name.
        mentions_all: Every member is mentioned.
        mentions_here: Those who are online are.
        is_system: It tells of a change of the conversation: nobody is told of it.
    """

    excerpt: Excerpt
    mentions: frozenset[UserId]
    mentions_all: bool = False
    mentions_here: bool = False
    is_system: bool = False


def newest(known: Excerpt | None, new: Excerpt) -> Excerpt | None:
    """Return what is to be kept of a message, in whichever order its versions come.

    Args:
        known: What is kept by now; None: nothing was seen.
        new: The message, an edit (`Excerpt.is_early`) or a tombstone.

    Returns:
        None where the known one stays as it is.
    """
    if known is None or (known.revision < new.revision and not new.is_early):
        return new
    if known.is_deleted:
        return None
    if new.is_early and known.revision < new.revision:
        return replace(known, revision=new.revision, text=new.text)
    if known.is_early and not (new.is_early or new.is_deleted):
        return replace(new, revision=known.revision, text=known.text)
    return None


def excerpt_of(text: str, limit: int = EXCERPT_MAX_CHARACTERS) -> str:
    """Shorten a message for a list, a push or a mail.

    Args:
        text: The whole body.
        limit: Length of the result in code points, at least 2.

    Returns:
        The text on one line without control characters; an ellipsis is its last
        character where something was cut.
    """
    visible = "".join(
        " "
        if character.isspace() or unicodedata.category(character) == "Cc"
        else character
        for character in text[: limit * 4]
    )
    line = " ".join(visible.split())
    if len(line) <= limit and len(text) <= limit * 4:
        return line
    return line[: limit - 1].rstrip() + "…"


def unread(excerpts: Sequence[Excerpt], member: Member | None) -> list[Excerpt]:
    """Return what a member has neither read nor lost by deletion, oldest first."""
    read_seq = member.read_seq if member else 0
    wanted = [e for e in excerpts if e.seq > read_seq and not e.is_deleted]
    return sorted(wanted, key=lambda excerpt: excerpt.seq)
