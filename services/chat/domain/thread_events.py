"""What of a follow the events of its user's own stream tell."""

from libs.events.catalog.personal import (
    ThreadEvent,
    ThreadFollowed,
    ThreadRead,
    ThreadUnfollowed,
)
from services.chat.domain.thread import Follow


def followed_event(follow: Follow) -> ThreadEvent:
    """Return thread.followed of a follow with its revision."""
    return _event(ThreadFollowed, follow)


def changed_event(before: Follow, after: Follow) -> ThreadEvent:
    """Return what tells that a follow has changed, which it has."""
    if after.is_following and not before.is_following:
        return followed_event(after)
    if after.read_seq == before.read_seq:
        return _event(ThreadUnfollowed, after)
    return ThreadRead(
        user_id=after.user_id,
        user_revision=after.user_revision,
        conversation_id=after.conversation_id,
        thread_seq=after.thread_seq,
        read_seq=after.read_seq,
        is_following=after.is_following,
    )


def _event(
    kind: type[ThreadFollowed | ThreadUnfollowed], follow: Follow
) -> ThreadEvent:
    return kind(
        user_id=follow.user_id,
        user_revision=follow.user_revision,
        conversation_id=follow.conversation_id,
        thread_seq=follow.thread_seq,
        read_seq=follow.read_seq,
    )
