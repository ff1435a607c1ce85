"""What of a conversation its members may change, and to what."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from libs.kernel import DocumentId
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    HistoryVisibility,
)
from services.chat.domain.errors import DraftInvalidError, MembershipIsManagedError
from services.chat.domain.limits import Limits


class Amendment(msgspec.Struct, frozen=True, kw_only=True):
    """What a member asks to change; what is `UNSET` stays.

    Attributes:
        topic: None takes it away.
        avatar_document_id: None takes it away.
        slow_mode_seconds: 0 turns it off.
        retention_days: None leaves it to the installation.
    """

    title: str | UnsetType = UNSET
    topic: str | UnsetType | None = UNSET
    avatar_document_id: DocumentId | UnsetType | None = UNSET
    history_visibility: HistoryVisibility | UnsetType = UNSET
    slow_mode_seconds: int | UnsetType = UNSET
    is_announcement_only: bool | UnsetType = UNSET
    has_receipts: bool | UnsetType = UNSET
    is_public: bool | UnsetType = UNSET
    retention_days: int | UnsetType | None = UNSET
    is_archived: bool | UnsetType = UNSET

    @property
    def changes_profile(self) -> bool:
        """Whether it says how the conversation presents itself."""
        asked = (self.title, self.topic, self.avatar_document_id)
        return any(value is not UNSET for value in asked)

    @property
    def changes_rules(self) -> bool:
        """Whether it says what its members may do and see."""
        return any(getattr(self, name) is not UNSET for name in RULES)


RULES = (
    "history_visibility",
    "slow_mode_seconds",
    "is_announcement_only",
    "has_receipts",
    "is_public",
    "retention_days",
)
"""The rules of a conversation, by the names of its fields."""


def amended(
    conversation: Conversation, amendment: Amendment, limits: Limits
) -> Conversation:
    """Return the conversation as the amendment makes it, counters unchanged.

    Archiving is not looked at: it is a change of its own.

    Raises:
        DraftInvalidError: See `checked_title`, `checked_topic`, `check_rules`.
        MembershipIsManagedError: A project decides who is in a managed channel.
    """
    changed: dict[str, Any] = {
        name: value
        for name, value in msgspec.structs.asdict(amendment).items()
        if value is not UNSET and name != "is_archived"
    }
    if "title" in changed:
        changed["title"] = checked_title(
            conversation.kind, changed["title"], limits.title_code_points
        )
    if "topic" in changed:
        changed["topic"] = checked_topic(
            conversation.kind, changed["topic"], limits.topic_code_points
        )
    after = msgspec.structs.replace(conversation, **changed)
    check_rules(after, limits)
    return after


def checked_title(
    kind: ConversationKind, title: str | None, limit_code_points: int
) -> str | None:
    """Return a title without surrounding space, as the kind needs it.

    Raises:
        DraftInvalidError: ``title_required`` for a group or channel without one,
            ``title_not_allowed`` for a direct one, ``title_too_long``.
    """
    stripped = " ".join((title or "").split())
    if kind is ConversationKind.DIRECT:
        if stripped:
            raise DraftInvalidError(
                "title_not_allowed", "A direct conversation has no title."
            )
        return None
    if not stripped:
        raise DraftInvalidError("title_required", "A title is needed.")
    if len(stripped) > limit_code_points:
        raise DraftInvalidError(
            "title_too_long",
            f"A title has at most {limit_code_points} code points.",
            limit=limit_code_points,
        )
    return stripped


def checked_topic(
    kind: ConversationKind, topic: str | None, limit_code_points: int
) -> str | None:
    """Return a topic without surrounding space; an empty one is none.

    Raises:
        DraftInvalidError: ``topic_not_allowed`` for a direct conversation,
            ``topic_too_long``.
    """
    stripped = (topic or "").strip()
    if not stripped:
        return None
    if kind is ConversationKind.DIRECT:
        raise DraftInvalidError(
            "topic_not_allowed", "A direct conversation has no topic."
        )
    if len(stripped) > limit_code_points:
        raise DraftInvalidError(
            "topic_too_long",
            f"A topic has at most {limit_code_points} code points.",
            limit=limit_code_points,
        )
    return stripped


def check_rules(conversation: Conversation, limits: Limits) -> None:
    """Refuse rules that do not suit the kind of conversation.

    Raises:
        DraftInvalidError: ``slow_mode_invalid``, ``retention_invalid``,
            ``announcements_not_allowed`` or ``public_not_allowed``.
        MembershipIsManagedError: A channel whose members a project decides is
            never open to join.
    """
    if not 0 <= conversation.slow_mode_seconds <= limits.slow_mode_seconds:
        raise DraftInvalidError(
            "slow_mode_invalid",
            f"Slow mode is 0 to {limits.slow_mode_seconds} seconds.",
            limit=limits.slow_mode_seconds,
        )
    days = conversation.retention_days
    if days is not None and not 1 <= days <= limits.retention_days:
        raise DraftInvalidError(
            "retention_invalid",
            f"Messages are kept 1 to {limits.retention_days} days.",
            limit=limits.retention_days,
        )
    if conversation.is_public and conversation.kind is not ConversationKind.CHANNEL:
        raise DraftInvalidError("public_not_allowed", "Only a channel is public.")
    if conversation.is_public and conversation.is_managed:
        raise MembershipIsManagedError
    is_direct = conversation.kind is ConversationKind.DIRECT
    if is_direct and (
        conversation.is_announcement_only or conversation.slow_mode_seconds
    ):
        raise DraftInvalidError(
            "announcements_not_allowed", "In a direct conversation both may talk."
        )
