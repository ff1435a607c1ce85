"""What belongs to one user, in memory."""

from collections.abc import Sequence

import msgspec

from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.conversation import Member
from services.chat.domain.errors import MarkerUnmovedError
from services.chat.domain.personal import Bookmark, Mute, OwnMembership, SavedDraft
from services.chat.ports import OwnItem, Session
from services.chat.repository.memory.conversations import MemoryConversations


class MemoryPersonal:
    """`PersonalRepository` over the dictionaries of the others."""

    def __init__(
        self,
        store: MemoryConversations,
        drafts: "MemoryDrafts",
        bookmarks: "MemoryBookmarks",
    ) -> None:
        self._store = store
        self._drafts = drafts
        self._bookmarks = bookmarks
        self._mutes: dict[tuple[ConversationId, UserId], Mute] = {}

    async def revision(self, user_id: UserId) -> int:
        """Return the stream's revision; 0 for one without changes."""
        return self._store.user_revisions.get(user_id, 0)

    async def revisions(self, user_ids: Sequence[UserId]) -> dict[UserId, int]:
        """Return the revision of each that has changes."""
        known = self._store.user_revisions
        return {user_id: known[user_id] for user_id in user_ids if user_id in known}

    async def changed(
        self, user_id: UserId, *, since: int, limit: int
    ) -> tuple[int, list[OwnItem]]:
        """Return the revision and up to `limit` items above `since`."""
        items: list[OwnItem] = [
            OwnMembership(
                member=self._store.members[key],
                user_revision=revision,
                mute=self._mutes.get(key, Mute()),
            )
            for key, revision in self._store.own_revisions.items()
            if key[1] == user_id
        ]
        items += [d for d in self._drafts.drafts.values() if d.user_id == user_id]
        items += [b for b in self._bookmarks.bookmarks.values() if b.user_id == user_id]
        items += [f for f in self._store.follows.values() if f.user_id == user_id]
        found = [item for item in items if since < item.user_revision]
        found.sort(key=lambda item: item.user_revision)
        return await self.revision(user_id), found[:limit]

    async def mark_read(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        seq: int,
        *,
        session: Session,
    ) -> int:
        """Move a read marker forward; return the user's new revision."""
        key = (conversation_id, user_id)
        if not await self._store.advance_read(*key, seq, session=session):
            raise MarkerUnmovedError
        return self._issue(key)

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
        found = [
            member
            for (place, user_id), member in self._store.members.items()
            if place == conversation_id
            and member.is_active
            and member.read_seq >= seq
            and user_id > after
            and user_id != except_user
        ]
        return sorted(found, key=lambda member: member.user_id)[:limit]

    async def put_mute(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        mute: Mute,
        *,
        session: Session,
    ) -> int:
        """Store how a membership is muted; return the user's new revision."""
        del session
        self._mutes[conversation_id, user_id] = mute
        return self._issue((conversation_id, user_id))

    async def mutes(
        self, user_id: UserId, conversation_ids: Sequence[ConversationId]
    ) -> dict[ConversationId, Mute]:
        """Return how a user's memberships are muted; one that is not is absent."""
        found = {c: self._mutes.get((c, user_id)) for c in conversation_ids}
        return {c: mute for c, mute in found.items() if mute is not None}

    def _issue(self, key: tuple[ConversationId, UserId]) -> int:
        revision = self._store.own_revisions[key] = self._store.issue(key[1])
        return revision


class MemoryDrafts:
    """`DraftRepository` in a dictionary."""

    def __init__(self, store: MemoryConversations) -> None:
        self._store = store
        self.drafts: dict[tuple[UserId, ConversationId, int], SavedDraft] = {}

    async def get(
        self, user_id: UserId, conversation_id: ConversationId, thread_seq: int
    ) -> SavedDraft | None:
        """Return a draft, a tombstone too, or None."""
        return self.drafts.get((user_id, conversation_id, thread_seq))

    async def put(self, draft: SavedDraft, *, session: Session) -> SavedDraft:
        """Store a draft in place of an earlier one; return it with its revision."""
        del session
        revision = self._store.issue(draft.user_id)
        stored = msgspec.structs.replace(draft, user_revision=revision)
        key = (draft.user_id, draft.conversation_id, draft.thread_seq)
        self.drafts[key] = stored
        return stored

    async def page(
        self, user_id: UserId, *, before: int | None, limit: int
    ) -> list[SavedDraft]:
        """Return a user's drafts, the last changed first, below a revision."""
        found = [
            draft
            for draft in self.drafts.values()
            if draft.user_id == user_id and not draft.is_cleared
            if before is None or draft.user_revision < before
        ]
        return sorted(found, key=lambda draft: -draft.user_revision)[:limit]


class MemoryBookmarks:
    """`BookmarkRepository` in a dictionary."""

    def __init__(self, store: MemoryConversations) -> None:
        self._store = store
        self.bookmarks: dict[tuple[UserId, MessageId], Bookmark] = {}

    async def get(self, user_id: UserId, message_id: MessageId) -> Bookmark | None:
        """Return a bookmark, a tombstone too, or None."""
        return self.bookmarks.get((user_id, message_id))

    async def put(self, bookmark: Bookmark, *, session: Session) -> Bookmark:
        """Store a bookmark, new or changed; return it with its revision."""
        del session
        revision = self._store.issue(bookmark.user_id)
        stored = msgspec.structs.replace(bookmark, user_revision=revision)
        self.bookmarks[bookmark.user_id, bookmark.message_id] = stored
        return stored

    async def page(
        self, user_id: UserId, *, before: int | None, limit: int
    ) -> list[Bookmark]:
        """Return a user's bookmarks, the last changed first, below a revision."""
        found = [
            bookmark
            for bookmark in self.bookmarks.values()
            if bookmark.user_id == user_id and not bookmark.is_removed
            if before is None or bookmark.user_revision < before
        ]
        return sorted(found, key=lambda bookmark: -bookmark.user_revision)[:limit]
