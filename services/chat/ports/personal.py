"""Where what belongs to one person is kept, and in which order it changed.

Each write issues the next revision of the user's own stream in the caller's
transaction: two writers for one user take turns, so that none is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.conversation import Member
from services.chat.domain.personal import Bookmark, Mute, OwnMembership, SavedDraft
from services.chat.domain.thread import Follow
from services.chat.ports.session import Session

OwnItem = OwnMembership | SavedDraft | Bookmark | Follow
"""What carries a revision of its user's own stream."""


class OwnChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of all of a user's own that changed after a revision.

    Attributes:
        items: By their revision, each of which is unique.
        revision: What to ask from next time.
        has_more: Whether to ask again at once.
    """

    items: tuple[OwnItem, ...]
    revision: int
    has_more: bool


class PersonalRepository(Protocol):
    """A user's own stream."""

    async def revision(self, user_id: UserId) -> int:
        """Return the stream's revision; 0 for one without changes."""
        ...

    async def revisions(self, user_ids: Sequence[UserId]) -> dict[UserId, int]:
        """Return the revision of each that has changes, in one query."""
        ...

    async def changed(
        self, user_id: UserId, *, since: int, limit: int
    ) -> tuple[int, list[OwnItem]]:
        """Return the stream's revision and its items above `since`, as of one moment.

        Args:
            user_id: Whose.
            since: Exclusive lower bound of the items' revisions.
            limit: Items at most, the lowest revisions first.
        """
        ...

    async def mark_read(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        seq: int,
        *,
        session: Session,
    ) -> int:
        """Move a read marker forward; return the user's new revision.

        Raises:
            MarkerUnmovedError: It is there already; nothing may be committed.
        """
        ...

    async def readers(
        self,
        conversation_id: ConversationId,
        seq: int,
        *,
        except_user: UserId,
        after: str,
        limit: int,
    ) -> list[Member]:
        """Return active members whose marker is at a seq or above, by user id."""
        ...

    async def put_mute(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        mute: Mute,
        *,
        session: Session,
    ) -> int:
        """Store how a membership is muted; return the user's new revision."""
        ...

    async def mutes(
        self, user_id: UserId, conversation_ids: Sequence[ConversationId]
    ) -> dict[ConversationId, Mute]:
        """Return how a user's memberships are muted; one that is not is absent."""
        ...


class DraftRepository(Protocol):
    """Drafts, opened."""

    async def get(
        self, user_id: UserId, conversation_id: ConversationId, thread_seq: int
    ) -> SavedDraft | None:
        """Return a draft, a tombstone too, or None."""
        ...

    async def put(self, draft: SavedDraft, *, session: Session) -> SavedDraft:
        """Store a draft in place of an earlier one; return it with its revision."""
        ...

    async def page(
        self, user_id: UserId, *, before: int | None, limit: int
    ) -> list[SavedDraft]:
        """Return a user's drafts, the last changed first, below a revision."""
        ...


class BookmarkRepository(Protocol):
    """Bookmarks, opened."""

    async def get(self, user_id: UserId, message_id: MessageId) -> Bookmark | None:
        """Return a bookmark, a tombstone too, or None."""
        ...

    async def put(self, bookmark: Bookmark, *, session: Session) -> Bookmark:
        """Store a bookmark, new or changed; return it with its revision."""
        ...

    async def page(
        self, user_id: UserId, *, before: int | None, limit: int
    ) -> list[Bookmark]:
        """Return a user's bookmarks, the last changed first, below a revision."""
        ...


class MentionCounter(Protocol):
    """Counts what a user should not miss."""

    async def unread_mentions(
        self, user_id: UserId, read: Mapping[ConversationId, int]
    ) -> dict[ConversationId, int]:
        """Count the messages above a seq that mention a user, or every member.

        Args:
            user_id: Whom; own messages do not count.
            read: Conversations with the seq up to which the user has read.

        Returns:
            Those with at least one; counting ends at 5,000 messages in all.
        """
        ...


@dataclass(frozen=True)
class OwnStores:
    """Where everything that is a user's own is kept."""

    personal: PersonalRepository
    drafts: DraftRepository
    bookmarks: BookmarkRepository
    mentions: MentionCounter
