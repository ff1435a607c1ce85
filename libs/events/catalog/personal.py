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


class ThreadEvent(OwnEvent):
    """Base of what a user has to do with a thread, which is named by its first seq.

    ``read_seq``: everything of the thread up to it is read.
    """

    conversation_id: str
    thread_seq: int
    read_seq: int


class ThreadFollowed(ThreadEvent, type="thread.followed", version=1, key="user_id"):
    """The user wants to know of what is new in a thread, or took part in it."""


class ThreadUnfollowed(ThreadEvent, type="thread.unfollowed", version=1, key="user_id"):
    """The user wants to know no more of what is new in a thread."""


class ThreadRead(ThreadEvent, type="thread.read", version=1, key="user_id"):
    """The user has read on in a thread; answering does so too, and tells it not."""

    is_following: bool
