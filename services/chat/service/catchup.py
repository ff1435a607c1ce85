"""Catching up with many conversations in one call: what moved, biggest unread first.

The revisions that a client sends are its cursor: it applies the answer and asks again
with what it knows by then. So no cursor expires, no page is of another time than the
rest, and a call that is repeated does no harm. Source: ADR 0026.
"""

from collections.abc import Mapping, Sequence

import msgspec

from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import unread_count
from services.chat.domain.personal import OwnMembership
from services.chat.ports import (
    Changes,
    ConversationRepository,
    MentionCounter,
    OwnChanges,
)
from services.chat.service.conversations import Conversations, Membership
from services.chat.service.own_stream import OwnStream
from services.chat.service.sync import Sync, text_bytes, trimmed

OWN_LIMIT = 100
PAGES_MAX = 20
PAGE_CHANGES = 50
CHANGES_MAX = 200
TEXT_BYTES_MAX = 256 * 1024
COUNTED_MAX = 100


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a client has.

    Attributes:
        revisions: Of the conversations it knows, or of some of them.
        user_revision: Of its user's own stream; None: it does not ask for that.
    """

    revisions: Mapping[ConversationId, int]
    user_revision: int | None = None


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that is ahead of the client.

    Attributes:
        unread_mentions: None where it was not counted.
        changes: The first page of what changed; None where the answer had no room.
    """

    membership: Membership
    unread: int
    unread_mentions: int | None
    changes: Changes | None


class CaughtUp(msgspec.Struct, frozen=True, kw_only=True):
    """What a client has to learn.

    Attributes:
        own: The first page of the user's own stream, if it was asked for.
        joined: Active memberships among it of conversations that the client did not
            name; their history is read like any other.
        moved: The biggest unread first.
        removed: What the client named and may not see, for whatever reason.
        reset: Where the client is ahead of the server: to be begun again at 0.
        has_more: Whether to ask again at once, with what is known by then.
    """

    own: OwnChanges | None
    joined: tuple[Membership, ...]
    moved: tuple[Moved, ...]
    removed: tuple[ConversationId, ...]
    reset: tuple[ConversationId, ...]
    has_more: bool


class CatchUp:
    """Answers a client that was away.

    Args:
        conversations: Use cases on conversations.
        repository: Conversations and members.
        sync: Reads what changed of one conversation.
        stream: Reads what changed of the user's own.
        mentions: Counts unread mentions.
    """

    def __init__(
        self,
        conversations: Conversations,
        repository: ConversationRepository,
        sync: Sync,
        *,
        stream: OwnStream,
        mentions: MentionCounter,
    ) -> None:
        self._conversations = conversations
        self._repository = repository
        self._sync = sync
        self._stream = stream
        self._mentions = mentions

    async def catch_up(self, user_id: UserId, known: Known) -> CaughtUp:
        """Return what moved since the revisions that a client knows.

        Six reads, and two for each of at most `PAGES_MAX` pages of changes, however
        many conversations there are. Membership is read last: nothing is told that
        is newer than a removal.

        Raises:
            OwnRevisionUnknownError: The user's revision is one that never was.
        """
        own = await self._own(user_id, known)
        named = list(known.revisions)
        ahead, reset, gone = await self._compared(known)
        seen = await self._conversations.get_among(
            user_id, [*ahead, *_joined(own, known)]
        )
        moved = await self._moved(user_id, [seen[c] for c in ahead if c in seen], known)
        still = await self._still(user_id, [*named, *seen])
        moved = [m for m in moved if _place(m.membership) in still]
        fresh = [m for c, m in seen.items() if c not in known.revisions and c in still]
        return CaughtUp(
            own=own,
            joined=tuple(fresh),
            moved=tuple(moved),
            removed=tuple(c for c in named if c in gone or c not in still),
            reset=tuple(c for c in reset if c in still),
            has_more=(own is not None and own.has_more)
            or any(m.changes is None or m.changes.has_more for m in moved),
        )

    async def _own(self, user_id: UserId, known: Known) -> OwnChanges | None:
        if known.user_revision is None:
            return None
        return await self._stream.changes(
            user_id, since=known.user_revision, limit=OWN_LIMIT
        )

    async def _compared(
        self, known: Known
    ) -> tuple[list[ConversationId], list[ConversationId], set[ConversationId]]:
        """Return which conversations are ahead, which behind, and which are gone."""
        named = list(known.revisions)
        if not named:
            return [], [], set()
        current = await self._repository.revisions(named)
        ahead = [c for c in named if current.get(c, 0) > known.revisions[c]]
        reset = [c for c in named if c in current and current[c] < known.revisions[c]]
        return ahead, reset, set(named) - set(current)

    async def _still(
        self, user_id: UserId, places: Sequence[ConversationId]
    ) -> set[ConversationId]:
        if not places:
            return set()
        wanted = list(dict.fromkeys(places))
        joined = await self._repository.memberships_in(user_id, wanted)
        return {member.conversation_id for member in joined}

    async def _moved(
        self, user_id: UserId, ahead: list[Membership], known: Known
    ) -> list[Moved]:
        ahead.sort(key=lambda seen: (-_unread(seen), _place(seen)))
        counted = [seen for seen in ahead if _unread(seen)][:COUNTED_MAX]
        mentions = await self._mentions.unread_mentions(
            user_id, {_place(seen): seen.member.read_seq for seen in counted}
        )
        none_left = {_place(seen): 0 for seen in ahead if not _unread(seen)}
        counts = none_left | {_place(s): 0 for s in counted} | mentions
        pages = await self._pages(ahead, known)
        return [
            Moved(
                membership=seen,
                unread=_unread(seen),
                unread_mentions=counts.get(_place(seen)),
                changes=pages.get(_place(seen)),
            )
            for seen in ahead
        ]

    async def _pages(
        self, ahead: Sequence[Membership], known: Known
    ) -> dict[ConversationId, Changes]:
        """Return first pages of changes while changes, bytes and reads are left."""
        pages: dict[ConversationId, Changes] = {}
        changes_left, bytes_left = CHANGES_MAX, TEXT_BYTES_MAX
        for seen in ahead[:PAGES_MAX]:
            if changes_left <= 0 or bytes_left <= 0:
                break
            since = known.revisions[_place(seen)]
            changes = await self._sync.changes_of(
                _place(seen),
                since=since,
                limit=min(PAGE_CHANGES, changes_left),
                viewer=seen.member,
            )
            if changes is None:  # deleted meanwhile
                continue
            page = trimmed(changes, bytes_left)
            pages[_place(seen)] = page
            changes_left -= len(page.messages) + len(page.members)
            bytes_left -= sum(text_bytes(message) for message in page.messages)
        return pages


def _place(seen: Membership) -> ConversationId:
    return seen.conversation.conversation_id


def _unread(seen: Membership) -> int:
    return unread_count(seen.conversation, seen.member)


def _joined(own: OwnChanges | None, known: Known) -> list[ConversationId]:
    """Return the conversations that the client learns of by its own stream."""
    items = own.items if own is not None else ()
    return [
        item.member.conversation_id
        for item in items
        if isinstance(item, OwnMembership)
        and item.member.is_active
        and item.member.conversation_id not in known.revisions
    ]
