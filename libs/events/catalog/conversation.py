"""``conversation.events``: conversations, members and read markers; emitted by chat.

``revision`` is the conversation's (DESIGN: issued without a gap over message.* and
conversation.* events alike), but for conversation.read, which changes no revision.
Titles are sealed with the message-transport ring. ``user_revision`` is the revision of
the user's own stream (see `personal`), which changes of membership move too.
"""

from typing import Any

import msgspec

from libs.crypto.sealed import Sealed
from libs.events.event import Event, upcast


class ConversationRules(msgspec.Struct, frozen=True, kw_only=True):
    """What its members may do and see.

    ``history_visibility`` is all or joined: what somebody sees who joins.
    """

    history_visibility: str = "all"
    slow_mode_seconds: int = 0
    is_announcement_only: bool = False
    has_receipts: bool = True
    is_public: bool = False


class ConversationCreated(
    Event, type="conversation.created", version=2, key="conversation_id"
):
    """A conversation began with these members; revision 1.

    ``kind`` is direct, group or channel; ``members`` are (user id, role) pairs;
    ``user_revisions`` are theirs, in the same order.
    """

    conversation_id: str
    revision: int
    kind: str
    project_id: str | None
    title: Sealed | None
    created_by: str | None
    members: tuple[tuple[str, str], ...]
    topic: Sealed | None = None
    rules: ConversationRules = ConversationRules()
    user_revisions: tuple[int, ...] = ()


class ConversationUpdated(
    Event, type="conversation.updated", version=2, key="conversation_id"
):
    """Its title, topic, avatar or a rule changed; all of them as they are now."""

    conversation_id: str
    revision: int
    title: Sealed | None
    updated_by: str
    topic: Sealed | None = None
    avatar_document_id: str | None = None
    rules: ConversationRules = ConversationRules()


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


class ConversationTrimmed(
    Event, type="conversation.trimmed", version=1, key="conversation_id"
):
    """Retention took its oldest messages: those below ``first_seq`` are gone."""

    conversation_id: str
    revision: int
    first_seq: int


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
    Event, type="conversation.role_changed", version=2, key="conversation_id"
):
    """A member's role changed; by nobody where a project or a rule decides."""

    conversation_id: str
    revision: int
    user_id: str
    role: str
    changed_by: str | None


class ConversationRead(
    Event, type="conversation.read", version=2, key="conversation_id"
):
    """A member read up to ``read_seq``; at most one a second a member.

    Without ``has_receipts`` it is nobody's business but the member's.
    """

    conversation_id: str
    user_id: str
    read_seq: int
    user_revision: int = 0
    has_receipts: bool = True


@upcast(ConversationCreated, from_version=1)
@upcast(ConversationUpdated, from_version=1)
@upcast(ConversationRoleChanged, from_version=1)
def _as_it_is(payload: dict[str, Any]) -> dict[str, Any]:
    """Version 1 said less, or never said nobody: it has the defaults."""
    return payload


@upcast(ConversationRead, from_version=1)
def _without_user_revision(payload: dict[str, Any]) -> dict[str, Any]:
    """Version 1 did not tell the revision of the user's own stream."""
    return payload
