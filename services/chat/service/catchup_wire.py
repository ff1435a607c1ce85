"""The one shape of an answer to a client that was away, on every wire."""

from services.chat.domain.personal import Bookmark, OwnMembership, SavedDraft
from services.chat.domain.thread import Follow
from services.chat.ports import Changes, OwnChanges
from services.chat.service.catchup import CaughtUp, Moved
from services.chat.service.own_items import (
    bookmark_wire,
    draft_wire,
    membership_wire,
    thread_wire,
)
from services.chat.service.wire import (
    Wire,
    conversation_wire,
    member_wire,
    message_wire,
    seen_wire,
)


def changes_wire(changes: Changes) -> Wire:
    """Return the changes of one conversation; ask again from `revision`."""
    own = changes.conversation
    return {
        "conversation": None if own is None else conversation_wire(own),
        "members": [member_wire(member) for member in changes.members],
        "messages": [message_wire(message) for message in changes.messages],
        "revision": changes.revision,
        "has_more": changes.has_more,
    }


def own_changes_wire(changes: OwnChanges) -> Wire:
    """Return the changes of a user's own; ask again from `user_revision`."""
    items = changes.items
    return {
        "memberships": [
            membership_wire(item) for item in items if isinstance(item, OwnMembership)
        ],
        "drafts": [draft_wire(item) for item in items if isinstance(item, SavedDraft)],
        "bookmarks": [
            bookmark_wire(item) for item in items if isinstance(item, Bookmark)
        ],
        "threads": [thread_wire(item) for item in items if isinstance(item, Follow)],
        "user_revision": changes.revision,
        "has_more": changes.has_more,
    }


def caught_up_wire(answer: CaughtUp) -> Wire:
    """Return all that a client has to learn."""
    return {
        "own": None if answer.own is None else own_changes_wire(answer.own),
        "joined": [seen_wire(s.conversation, s.member) for s in answer.joined],
        "moved": [_moved_wire(moved) for moved in answer.moved],
        "removed": answer.removed,
        "reset": answer.reset,
        "has_more": answer.has_more,
    }


def _moved_wire(moved: Moved) -> Wire:
    conversation, member = moved.membership.conversation, moved.membership.member
    return {
        "conversation_id": conversation.conversation_id,
        "revision": conversation.revision,
        "last_seq": conversation.last_seq,
        "read_seq": member.read_seq,
        "unread": moved.unread,
        "unread_mentions": moved.unread_mentions,
        "changes": None if moved.changes is None else changes_wire(moved.changes),
    }
