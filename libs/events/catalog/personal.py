"""What one person did for nobody but themselves; emitted by chat.

The key is the user, and CloudEvents' ``sequence`` is the revision of the user's own
stream, which memberships and read markers draw on too (``user_revision`` there). No
text is inside: who may see it fetches it.
"""

from datetime import datetime

from libs.events.event import Event


class OwnEvent(Event):
    """Base of the facts of a user's own stream."""

    user_id: str
    user_revision: int

    @property
    def event_sequence(self) -> int | None:
        """The revision of the user's own stream."""
        return self.user_revision


class DraftSaved(OwnEvent, type="draft.saved", version=1, key="user_id"):
    """A draft changed; ``thread_seq`` is 0 outside of a thread."""

    conversation_id: str
    thread_seq: int


class DraftCleared(OwnEvent, type="draft.cleared", version=1, key="user_id"):
    """A draft was thrown away or sent."""

    conversation_id: str
    thread_seq: int


class BookmarkAdded(OwnEvent, type="bookmark.added", version=1, key="user_id"):
    """A message was bookmarked, or the bookmark's note changed."""

    conversation_id: str
    message_id: str


class BookmarkRemoved(OwnEvent, type="bookmark.removed", version=1, key="user_id"):
    """A bookmark was taken away."""

    conversation_id: str
    message_id: str


class ConversationMuted(OwnEvent, type="conversation.muted", version=1, key="user_id"):
    """How much of a conversation notifies its member: all, mentions or none.

    ``until``: when everything notifies again; None: not by itself.
    """

    conversation_id: str
    level: str
    until: datetime | None
