"""Live delivery: events from the exchanges to the sockets of this process.

Per watched conversation revisions come out in order and once. A hole is held a
moment, then filled from the database; while the live queue is away, the revisions
of watched conversations are polled. Source: DESIGN.md section 4.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from prometheus_client import Counter

from libs.kernel import Clock, ConversationId, UserId
from services.chat.ports import Changes, ConversationRepository, Rooms
from services.chat.service.items import (
    LiveItem,
    conversation_room,
    deleted_item,
    items_of,
)
from services.chat.service.polling import fill_behind, fill_safely
from services.chat.service.revisions import RevisionBuffer
from services.chat.service.sync import Sync

_FILLED = Counter("chat_live_filled_holes", "Holes filled from the database")
_FILL_LIMIT = 500


@dataclass(frozen=True)
class LiveLimits:
    """How patient live delivery is.

    Attributes:
        patience_seconds: How long a hole is waited for.
        held: Events held before a hole is filled at once.
        poll_seconds: Between two polls while the live queue is away.
        silent_seconds: How long nothing may be heard while own events are unconfirmed:
            a broker that hangs keeps its connections.
        safety_seconds: Between two polls at most, whatever the live queue says.
    """

    patience_seconds: float = 0.2
    held: int = 64
    poll_seconds: float = 1.0
    silent_seconds: float = 1.0
    safety_seconds: float = 15.0


@dataclass
class Watch:
    """A conversation that a local socket is in, or is about to be in.

    Attributes:
        buffer: None until the first subscriber has read the revision.
        watchers: Sockets in the room and subscriptions under way.
        early: What came in before the buffer was there.
        removed_at: Revision of the last removal of each user, while it is watched.
        admitted_at: Revision at which each subscriber's membership was last read.
        visible_from: First seq that is not hidden, of subscribers who joined late.
    """

    watchers: int = 0
    buffer: RevisionBuffer[LiveItem] | None = None
    early: list[tuple[int, LiveItem]] = field(default_factory=list)
    removed_at: dict[UserId, int] = field(default_factory=dict)
    admitted_at: dict[UserId, int] = field(default_factory=dict)
    visible_from: dict[UserId, int] = field(default_factory=dict)

    def blind_to(self, item: LiveItem) -> list[UserId]:
        """Return the subscribers from whom what the item is about is hidden."""
        if not self.visible_from or item.seq is None:
            return []
        seq = item.seq
        return [user for user, first in self.visible_from.items() if seq < first]


class LiveDelivery:
    """Orders what arrives and writes it to the rooms.

    Args:
        rooms: Sockets of this process.
        conversations: For polling and filling.
        sync: Reads what changed.
        clock: Measures patience.
        limits: See `LiveLimits`.
    """

    def __init__(
        self,
        rooms: Rooms,
        conversations: ConversationRepository,
        sync: Sync,
        *,
        clock: Clock,
        limits: LiveLimits,
    ) -> None:
        self._rooms = rooms
        self._conversations = conversations
        self._sync = sync
        self._clock = clock
        self._is_live = False
        self._has_missed = True
        self._polled_at = self._heard_at = clock.monotonic()
        self._unconfirmed: Callable[[], int] = lambda: 0
        self._also_polled: list[Callable[[], Awaitable[bool]]] = []
        self._limits = limits
        self._watches: dict[ConversationId, Watch] = {}
        self._holes: set[ConversationId] = set()
        self._has_holes = asyncio.Event()

    def is_watched(self, conversation_id: str) -> bool:
        """Tell whether anybody here listens, so that opening content is worth it."""
        return conversation_id in self._watches

    def awaits(self, conversation_id: str, revision: int) -> bool:
        """Tell whether a change would be delivered or held; others need no opening."""
        watch = self._watches.get(ConversationId(conversation_id))
        if watch is None:
            return False
        return watch.buffer is None or watch.buffer.awaits(revision)

    def watched_among(self, conversation_ids: Iterable[str]) -> list[ConversationId]:
        """Return those of the conversations that somebody here listens to."""
        return [ConversationId(c) for c in conversation_ids if c in self._watches]

    @property
    def watched(self) -> list[ConversationId]:
        """Every conversation that somebody here listens to."""
        return list(self._watches)

    def acquire(self, conversation_id: ConversationId) -> Watch:
        """Begin to watch, before the membership of the subscriber is read."""
        watch = self._watches.setdefault(conversation_id, Watch())
        watch.watchers += 1
        return watch

    def release(self, conversation_id: ConversationId) -> None:
        """End what `acquire` began, when the socket leaves or was not let in."""
        watch = self._watches.get(conversation_id)
        if watch is None:
            return
        watch.watchers -= 1
        if watch.watchers <= 0:
            del self._watches[conversation_id]
            self._holes.discard(conversation_id)

    def admit(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        revision: int,
        *,
        visible_from_seq: int = 1,
    ) -> int | None:
        """Decide on a subscriber whose membership was read at a revision.

        To be followed by entering the room with no await in between. What happens
        to messages below `visible_from_seq` is not delivered to them.

        Returns:
            The revision from which on everything is delivered live, or None: the
            user was removed after the read.
        """
        watch = self._watches[conversation_id]
        if watch.buffer is None:
            watch.buffer = RevisionBuffer(revision, limit=self._limits.held)
            early, watch.early = watch.early, []
            for early_revision, item in early:
                self.offer(conversation_id, early_revision, item)
        if watch.removed_at.get(user_id, 0) > revision:  # perhaps by an early one
            return None
        watch.visible_from.pop(user_id, None)
        if visible_from_seq > 1:
            watch.visible_from[user_id] = visible_from_seq
        watch.admitted_at[user_id] = max(revision, watch.admitted_at.get(user_id, 0))
        return max(revision, watch.buffer.delivered)

    def offer(
        self, conversation_id: ConversationId, revision: int, item: LiveItem
    ) -> None:
        """Take an event; deliver it, hold it, or drop it."""
        watch = self._watches.get(conversation_id)
        if watch is None:
            return
        if watch.buffer is None:
            watch.early.append((revision, item))
            return
        now = self._clock.monotonic()
        for ready in watch.buffer.offer(revision, item, now):
            self._deliver(conversation_id, ready)
        if watch.buffer.has_hole:
            self._holes.add(conversation_id)
            self._has_holes.set()

    def expel(
        self, conversation_id: ConversationId, user_id: UserId, revision: int
    ) -> None:
        """Take a removed member out of the room, whatever came before the removal.

        A removal that is older than the membership a subscription was based on
        takes nobody out.

        Args:
            conversation_id: Where.
            user_id: Who.
            revision: Of the removal.
        """
        watch = self._watches.get(conversation_id)
        if watch is None:
            return
        watch.removed_at[user_id] = max(revision, watch.removed_at.get(user_id, 0))
        if watch.admitted_at.get(user_id, 0) >= revision:
            return
        room = conversation_room(conversation_id)
        for _ in range(self._rooms.remove_user(room, user_id)):
            self.release(conversation_id)

    async def fill_holes(self) -> None:
        """Fill the holes that waited long enough, until cancelled."""
        while True:
            await self._has_holes.wait()
            await asyncio.sleep(self._limits.patience_seconds / 4)
            await self.fill_overdue()
            if not self._holes:
                self._has_holes.clear()

    async def fill_overdue(self) -> None:
        """Fill every hole that is overdue now."""
        for conversation_id in list(self._holes):
            watch = self._watches.get(conversation_id)
            if watch is None or watch.buffer is None or not watch.buffer.has_hole:
                self._holes.discard(conversation_id)
            elif watch.buffer.is_overdue(
                self._clock.monotonic(), self._limits.patience_seconds
            ):
                await fill_safely("live", self._fill, conversation_id)

    def live_changed(self, is_live: bool) -> None:  # noqa: FBT001 - a callback's argument
        """Hear that the live queue lost its consumer, or has a new one.

        What passed in between was not seen: one more poll tells.
        """
        self._is_live = is_live
        self._has_missed = True

    def watch_unconfirmed(self, unconfirmed: Callable[[], int]) -> None:
        """Learn how many of this process's own events the broker has not taken."""
        self._unconfirmed = unconfirmed

    def poll_with(self, poll: Callable[[], Awaitable[bool]]) -> None:
        """Poll something else whenever conversations are polled.

        Args:
            poll: Tells whether every comparison and every fill succeeded.
        """
        self._also_polled.append(poll)

    def heard(self) -> None:
        """Hear that the live queue works: an event came, whatever it is."""
        self._heard_at = self._clock.monotonic()

    @property
    def _is_silent(self) -> bool:
        silence_seconds = self._clock.monotonic() - self._heard_at
        is_late = silence_seconds >= self._limits.silent_seconds
        return is_late and self._unconfirmed() > 0

    async def poll(self) -> None:
        """Poll while the live queue is away, and once after it is back."""
        while True:
            await asyncio.sleep(self._limits.poll_seconds)
            await self.poll_if_due()

    async def poll_if_due(self) -> None:
        """Poll if events may have been missed; what fails is done again."""
        now = self._clock.monotonic()
        is_due = now - self._polled_at >= self._limits.safety_seconds
        is_well = self._is_live and not self._has_missed and not self._is_silent
        if is_well and not is_due:
            return
        self._polled_at = now
        self._has_missed = False  # one that is missed while it runs sets it again
        for poll in (self.poll_once, *self._also_polled):
            if not await poll():
                self._has_missed = True

    async def poll_once(self) -> bool:
        """Compare revisions with the database and fill what is behind.

        Returns:
            Whether every comparison and every fill succeeded.
        """
        return await fill_behind(
            "live",
            list(self._watches),
            revisions=self._conversations.revisions,
            delivered=self._delivered,
            fill=self._fill,
        )

    def _delivered(self, conversation_id: ConversationId) -> int | None:
        watch = self._watches.get(conversation_id)
        return watch.buffer.delivered if watch and watch.buffer else None

    async def _fill(self, conversation_id: ConversationId) -> None:
        """Deliver the current state of what changed after the last delivered one."""
        has_more = True
        while has_more:
            watch = self._watches.get(conversation_id)
            if watch is None or watch.buffer is None:
                return
            changes = await self._sync.changes_of(
                conversation_id, since=watch.buffer.delivered, limit=_FILL_LIMIT
            )
            if changes is None:
                await self._fill_deleted(conversation_id)
                return
            self._deliver_changes(conversation_id, watch, changes)
            has_more = changes.has_more
        _FILLED.inc()

    async def _fill_deleted(self, conversation_id: ConversationId) -> None:
        """Deliver the deletion, whose event was missed."""
        found = await self._conversations.revisions([conversation_id])
        if conversation_id in found:
            item = deleted_item(conversation_id, found[conversation_id])
            self._deliver(conversation_id, item)

    def _deliver_changes(
        self, conversation_id: ConversationId, watch: Watch, changes: Changes
    ) -> None:
        if watch.buffer is None:
            return
        delivered = watch.buffer.delivered  # may have moved while we were reading
        for revision, item in items_of(conversation_id, changes):
            if revision > delivered:
                self._deliver(conversation_id, item)
        now = self._clock.monotonic()
        for ready in watch.buffer.advance(changes.revision, now):
            self._deliver(conversation_id, ready)

    def _deliver(self, conversation_id: ConversationId, item: LiveItem) -> None:
        room = conversation_room(conversation_id)
        watch = self._watches.get(conversation_id)
        self._rooms.emit(
            (room, *item.extra_rooms),
            item.event,
            item.payload,
            except_users=watch.blind_to(item) if watch else (),
        )
        if item.is_last:
            for _ in range(self._rooms.clear(room)):
                self.release(conversation_id)
        if item.removed_id is not None and isinstance(item.payload, dict):
            revision = item.payload["revision"]
            if isinstance(revision, int):
                self.expel(conversation_id, item.removed_id, revision)
