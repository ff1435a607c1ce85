"""``conversation.events``: conversations, members and read markers; emitted by chat.

``revision`` is the conversation's (DESIGN: issued without a gap over message.* and
conversation.* events alike), but for conversation.read, which changes no revision.
Titles are sealed with the message-transport ring.
"""

from libs.crypto.sealed import Sealed
from libs.events.event import Event


class ConversationCreated(
    Event, type="conversation.created", version=1, key="conversation_id"
):
    """A conversation began with these members; revision 1.

    ``kind`` is direct, group or channel; ``members`` are (user id, role) pairs.
    """

    conversation_id: str
    revision: int
    kind: str
    project_id: str | None
    title: Sealed | None
    created_by: str | None
    members: tuple[tuple[str, str], ...]


class ConversationUpdated(
    Event, type="conversation.updated", version=1, key="conversation_id"
):
    """Its title or a setting changed."""

    conversation_id: str
    revision: int
    title: Sealed | None
    updated_by: str


class ConversationArchived(
    Event, type="conversation.archived", version=1, key="conversation_id"
):
    """It was archived (read-only), or brought back."""

    conversation_id: str
    revision: int
    is_archived: bool
    archived_by: str | None


class ConversationDeleted(
    Event, type="conversation.deleted", version=1, key="conversation_id"
):
    """It is gone and its data key is destroyed."""

    conversation_id: str
    revision: int
    deleted_by: str | None


class ConversationMemberAdded(
    Event, type="conversation.member_added", version=1, key="conversation_id"
):
    """Somebody joined with a role: owner, admin, member or guest."""

    conversation_id: str
    revision: int
    user_id: str
    role: str
    added_by: str | None


class ConversationMemberRemoved(
    Event, type="conversation.member_removed", version=1, key="conversation_id"
):
    """Somebody left or was removed; nothing newer reaches them."""

    conversation_id: str
    revision: int
    user_id: str
    removed_by: str | None


class ConversationRoleChanged(
    Event, type="conversation.role_changed", version=1, key="conversation_id"
):
    """A member's role changed."""

    conversation_id: str
    revision: int
    user_id: str
    role: str
    changed_by: str


class ConversationRead(
    Event, type="conversation.read", version=1, key="conversation_id"
):
    """A member read up to ``read_seq``; at most one a second a member."""

    conversation_id: str
    user_id: str
    read_seq: int
