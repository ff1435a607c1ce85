"""The one shape of a user's own items, on every wire."""

from services.chat.domain.personal import Bookmark, Mute, OwnMembership, SavedDraft
from services.chat.domain.thread import Follow
from services.chat.ports import OwnItem
from services.chat.service.wire import Wire

OWN_EVENT = "own.changed"


def own_room(user_id: str) -> str:
    """Name the room of a user's sockets that follow the user's own stream."""
    return f"own:{user_id}"


def mute_wire(mute: Mute) -> Wire:
    """Return how a conversation is muted."""
    return {"level": mute.level, "until": mute.until}


def membership_wire(own: OwnMembership) -> Wire:
    """Return a membership as its own user sees it."""
    member = own.member
    return {
        "conversation_id": member.conversation_id,
        "role": member.role,
        "joined_at": member.joined_at,
        "joined_revision": member.joined_revision,
        "read_seq": member.read_seq,
        "is_active": member.is_active,
        "mute": mute_wire(own.mute),
        "user_revision": own.user_revision,
    }


def draft_wire(draft: SavedDraft) -> Wire:
    """Return a draft; one that was cleared has no text."""
    return {
        "conversation_id": draft.conversation_id,
        "thread_seq": draft.thread_seq,
        "text": draft.text,
        "saved_at": draft.saved_at,
        "is_cleared": draft.is_cleared,
        "user_revision": draft.user_revision,
    }


def bookmark_wire(bookmark: Bookmark) -> Wire:
    """Return a bookmark without its message."""
    return {
        "conversation_id": bookmark.conversation_id,
        "message_id": bookmark.message_id,
        "seq": bookmark.seq,
        "note": bookmark.note,
        "added_at": bookmark.added_at,
        "is_removed": bookmark.is_removed,
        "user_revision": bookmark.user_revision,
    }


def thread_wire(follow: Follow) -> Wire:
    """Return what a user has to do with a thread; what is unread clients count."""
    return {
        "conversation_id": follow.conversation_id,
        "thread_seq": follow.thread_seq,
        "is_following": follow.is_following,
        "read_seq": follow.read_seq,
        "user_revision": follow.user_revision,
    }


def own_event(item: OwnItem) -> Wire:
    """Return the live payload of one item, under the name of its kind."""
    revision: Wire = {"user_revision": item.user_revision}
    if isinstance(item, OwnMembership):
        return revision | {"membership": membership_wire(item)}
    if isinstance(item, SavedDraft):
        return revision | {"draft": draft_wire(item)}
    if isinstance(item, Follow):
        return revision | {"thread": thread_wire(item)}
    return revision | {"bookmark": bookmark_wire(item)}
