"""Who may do what: the one table (issue: permission table in one place)."""

from enum import StrEnum

from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Member,
    Role,
)
from services.chat.domain.errors import (
    AnnouncementOnlyError,
    ConversationIsArchivedError,
    ConversationNotFoundError,
    MembershipIsManagedError,
    NotPermittedError,
)


class Action(StrEnum):
    """Something a member does in a conversation."""

    READ = "read"
    SEND = "send"
    EDIT_OWN = "edit_own"
    DELETE_OWN = "delete_own"
    DELETE_ANY = "delete_any"
    REACT = "react"
    DRAFT = "draft"
    BOOKMARK = "bookmark"
    PIN = "pin"
    MENTION_ALL = "mention_all"
    UPDATE = "update"
    CONFIGURE = "configure"
    ADD_MEMBER = "add_member"
    REMOVE_MEMBER = "remove_member"
    INVITE = "invite"
    BAN = "ban"
    CHANGE_ROLE = "change_role"
    TRANSFER = "transfer"
    ARCHIVE = "archive"
    DELETE = "delete"
    LEAVE = "leave"


_TALK = frozenset(
    {
        Action.READ,
        Action.SEND,
        Action.EDIT_OWN,
        Action.DELETE_OWN,
        Action.REACT,
        Action.DRAFT,
        Action.BOOKMARK,
    }
)
_PAIR = _TALK | {Action.PIN, Action.MENTION_ALL}
_GUEST = _TALK | {Action.LEAVE}
_MEMBER = _GUEST | {Action.PIN, Action.MENTION_ALL}
_MODERATE = _MEMBER | {
    Action.DELETE_ANY,
    Action.UPDATE,
    Action.CONFIGURE,
    Action.ADD_MEMBER,
    Action.REMOVE_MEMBER,
    Action.INVITE,
    Action.BAN,
    Action.ARCHIVE,
}
_OWN = _MODERATE | {Action.CHANGE_ROLE, Action.TRANSFER, Action.DELETE}

PERMISSIONS: dict[ConversationKind, dict[Role, frozenset[Action]]] = {
    ConversationKind.DIRECT: {
        Role.OWNER: _PAIR,
        Role.ADMIN: _PAIR,
        Role.MEMBER: _PAIR,
        Role.GUEST: _PAIR,
    },
    ConversationKind.GROUP: {
        Role.OWNER: _OWN,
        Role.ADMIN: _MODERATE,
        Role.MEMBER: _MEMBER | {Action.ADD_MEMBER},
        Role.GUEST: _GUEST,
    },
    ConversationKind.CHANNEL: {
        Role.OWNER: _OWN,
        Role.ADMIN: _MODERATE,
        Role.MEMBER: _MEMBER,
        Role.GUEST: _GUEST,
    },
}
"""Every cell; what is not here is refused."""

WHEN_ARCHIVED = frozenset(
    {Action.READ, Action.LEAVE, Action.ARCHIVE, Action.TRANSFER, Action.DELETE}
)
"""What an archived conversation still allows to those whose role allows it (AZ-6).

It takes no more than it has: also no draft and no bookmark. Those that are there may
be thrown away.
"""

WHEN_MANAGED = frozenset(Action) - {
    Action.ADD_MEMBER,
    Action.REMOVE_MEMBER,
    Action.INVITE,
    Action.BAN,
    Action.CHANGE_ROLE,
    Action.TRANSFER,
    Action.LEAVE,
    Action.ARCHIVE,
    Action.DELETE,
}
"""What a conversation whose members a project decides still allows."""

ANNOUNCED = frozenset({Action.SEND, Action.EDIT_OWN})
"""What only `SPEAKERS` do in an announcement-only conversation.

What was said before it became one may be deleted by its author, not said anew.
"""

SLOWED = frozenset({Action.SEND, Action.EDIT_OWN})
"""What all but `SPEAKERS` wait for in slow mode; see `domain.slow_mode`."""

SPEAKERS = frozenset({Role.OWNER, Role.ADMIN})
"""Who sends where only announcements are made; slow mode does not slow them."""

_RANK = {Role.GUEST: 0, Role.MEMBER: 1, Role.ADMIN: 2, Role.OWNER: 3}


def is_allowed(kind: ConversationKind, role: Role, action: Action) -> bool:
    """Tell what the table says, whatever the state of the conversation."""
    return action in PERMISSIONS[kind][role]


def require(conversation: Conversation, member: Member | None, action: Action) -> Role:
    """Check an action of a member, or of somebody who is none.

    Returns:
        The member's role.

    Raises:
        ConversationNotFoundError: Not an active member: it looks as if missing.
        NotPermittedError: The role does not allow it.
        MembershipIsManagedError: A project decides.
        ConversationIsArchivedError: It is read-only.
        AnnouncementOnlyError: Only owners and admins send and edit.
    """
    if member is None or not member.is_active:
        raise ConversationNotFoundError
    if not is_allowed(conversation.kind, member.role, action):
        raise NotPermittedError(action)
    if conversation.is_managed and action not in WHEN_MANAGED:
        raise MembershipIsManagedError
    if conversation.is_archived and action not in WHEN_ARCHIVED:
        raise ConversationIsArchivedError
    is_silenced = action in ANNOUNCED and member.role not in SPEAKERS
    if conversation.is_announcement_only and is_silenced:
        raise AnnouncementOnlyError
    return member.role


def require_may_give(actor: Role, role: Role) -> None:
    """Refuse to give a role above the giver's own.

    Raises:
        NotPermittedError: The role ranks above the actor's.
    """
    if _RANK[role] > _RANK[actor]:
        raise NotPermittedError(Action.CHANGE_ROLE)


def require_outranks(actor: Role, target: Role) -> None:
    """Refuse to remove somebody of a higher rank; equals may be removed by owners.

    Raises:
        NotPermittedError: The target ranks as high as the actor, who is no owner.
    """
    if actor is not Role.OWNER and _RANK[target] >= _RANK[actor]:
        raise NotPermittedError(Action.REMOVE_MEMBER)
