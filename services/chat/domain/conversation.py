"""Conversations and their members."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

import msgspec

from libs.kernel import ConversationId, DocumentId, ProjectId, UserId
from services.chat.domain.errors import DraftInvalidError

_NAMESPACE = UUID("6ba7b812-9dad-5d11-80b4-00c04fd430c8")


class ConversationKind(StrEnum):
    """What sort of conversation it is; it never changes."""

    DIRECT = "direct"
    GROUP = "group"
    CHANNEL = "channel"


class Role(StrEnum):
    """What a member may do; see `permissions`."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"


class HistoryVisibility(StrEnum):
    """What of the history somebody sees who joins from now on."""

    ALL = "all"
    JOINED = "joined"


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A place where people talk.

    Attributes:
        topic: What it is about; private like the title.
        avatar_document_id: Its picture, a document of media.
        last_seq: Ordinal of its newest message, 0 where there is none.
        last_message_at: When that one was sent.
        revision: Counts every durable change, issued without a gap, from 1.
        members_version: Counts changes of membership and roles.
        changed_revision: Revision of the last change of its own fields.
        is_managed: Whether a project decides who is a member.
        is_archived_by_project: Whether it goes on when its project does.
        project_revision: The project's, of the last fact applied to it.
        unique_key: What it is unique by: a pair of users, a project's channel.
        pair: The two users of a direct conversation, sorted; else empty.
        first_seq: Messages are kept from it on, without a gap; retention raises it.
            One above `last_seq` where none is left.
        retention_days: How long messages are kept; None as the installation says.
        history_visibility: Holds for who joins from now on.
        slow_mode_seconds: Time between two messages of one sender; 0 is off.
        is_announcement_only: Whether only owners and admins send.
        has_receipts: Whether its members see who has read what.
        is_public: Whether a channel is listed, and open to join.
    """

    conversation_id: ConversationId
    kind: ConversationKind
    title: str | None
    project_id: ProjectId | None
    created_by: UserId | None
    created_at: datetime
    last_seq: int = 0
    last_message_at: datetime | None = None
    revision: int = 1
    members_version: int = 1
    changed_revision: int = 1
    is_archived: bool = False
    is_managed: bool = False
    is_archived_by_project: bool = False
    project_revision: int = 0
    unique_key: str | None = None
    pair: tuple[UserId, ...] = ()
    first_seq: int = 1
    retention_days: int | None = None
    topic: str | None = None
    avatar_document_id: DocumentId | None = None
    history_visibility: HistoryVisibility = HistoryVisibility.ALL
    slow_mode_seconds: int = 0
    is_announcement_only: bool = False
    has_receipts: bool = True
    is_public: bool = False


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's part in a conversation; a removed member stays as a tombstone.

    Attributes:
        read_seq: Everything up to it is read; unread = last_seq - read_seq.
        revision: The conversation's, of the last change of role or membership.
        project_revision: The project's, of the last fact applied; 0 outside one.
        visible_from_seq: Messages below it are hidden from the member.
        joined_revision: The conversation's, of joining.
    """

    conversation_id: ConversationId
    user_id: UserId
    role: Role
    joined_at: datetime
    revision: int
    read_seq: int = 0
    is_active: bool = True
    project_revision: int = 0
    visible_from_seq: int = 1
    joined_revision: int = 0


def direct_key(first: UserId, second: UserId) -> str:
    """Return the key that makes a direct conversation unique, in either order."""
    return "direct:" + ":".join(sorted((first, second)))


def pair_of(first: UserId, second: UserId) -> tuple[UserId, UserId]:
    """Return the two users of a direct conversation, sorted.

    Raises:
        DraftInvalidError: They are the same user.
    """
    if first == second:
        raise DraftInvalidError(
            "direct_with_self", "A direct conversation needs another user."
        )
    low, high = sorted((first, second))
    return low, high


def general_key(project_id: ProjectId) -> str:
    """Return the key of a project's channel ``general``."""
    return f"project:{project_id}:general"


def general_id(project_id: ProjectId) -> ConversationId:
    """Return the id of a project's channel ``general``: the same on every try."""
    return ConversationId(str(uuid5(_NAMESPACE, general_key(project_id))))


def joined(
    conversation: Conversation,
    user_id: UserId,
    role: Role,
    joined_at: datetime,
    *,
    project_revision: int = 0,
) -> Member:
    """Return the membership of somebody who joins, or joins again.

    Nothing is unread; what was said before is visible where the conversation's
    `HistoryVisibility` says so.

    Args:
        conversation: As it is before.
        user_id: Who.
        role: With which role.
        joined_at: UTC.
        project_revision: See `Member`.
    """
    is_all = conversation.history_visibility is HistoryVisibility.ALL
    return Member(
        conversation_id=conversation.conversation_id,
        user_id=user_id,
        role=role,
        joined_at=joined_at,
        revision=conversation.revision + 1,
        read_seq=conversation.last_seq,
        project_revision=project_revision,
        visible_from_seq=1 if is_all else conversation.last_seq + 1,
        joined_revision=conversation.revision + 1,
    )


def unread_count(conversation: Conversation, member: Member) -> int:
    """Return how many of the messages that are kept the member has not read."""
    read_seq = max(member.read_seq, conversation.first_seq - 1)
    return max(0, conversation.last_seq - read_seq)


def first_unread_seq(conversation: Conversation, member: Member) -> int | None:
    """Return where a member goes on reading, or None: everything is read."""
    if not unread_count(conversation, member):
        return None
    return max(member.read_seq + 1, conversation.first_seq, member.visible_from_seq)


def visible_from(conversation: Conversation, member: Member) -> int:
    """Return the first seq that a member sees: kept, and not from before their time."""
    return max(conversation.first_seq, member.visible_from_seq)


def shown_member(
    conversation: Conversation, member: Member, viewer_id: UserId | None
) -> Member:
    """Return a membership as another sees it: no marker where receipts are off."""
    if conversation.has_receipts or member.user_id == viewer_id:
        return member
    return msgspec.structs.replace(member, read_seq=0)
