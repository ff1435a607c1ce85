"""Live delivery of users' own streams, by the rules of a conversation's.

Events come out in the order of the user's revision and once. What an event does not
tell (a draft's text) is read as soon as the event is there; a hole is waited for a
moment, then read. Source: DESIGN.md section 4, ADR 0026.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from libs.kernel import AppError, Clock, UserId
from services.chat.ports import PersonalRepository, Rooms
from services.chat.service.live import LiveLimits
from services.chat.service.own_items import OWN_EVENT, own_event, own_room
from services.chat.service.own_stream import OwnStream
from services.chat.service.polling import fill_behind, fill_safely
from services.chat.service.revisions import RevisionBuffer
from services.chat.service.wire import Wire

_FILL_LIMIT = 200


@dataclass
class OwnWatch:
    """A user some of whose sockets follow the own stream, or are about to.

    Attributes:
        buffer: None until the first subscriber has read the revision.
        arriving: Subscriptions under way.
        early: What came in before the buffer was there.
        is_untold: Whether something is known of whose content has to be read.
    """

    arriving: int = 0
    buffer: RevisionBuffer[Wire] | None = None
    early: list[tuple[int, Wire | None]] = field(default_factory=list)
    is_untold: bool = False


class OwnDelivery:
    """Orders what arrives for each user and writes it to the user's sockets.

    Args:
        rooms: Sockets of this process.
        personal: For polling.
        stream: Reads what changed.
        clock: Measures patience.
        limits: See `LiveLimits`.
    """

    def __init__(
        self,
        rooms: Rooms,
        personal: PersonalRepository,
        stream: OwnStream,
        *,
        clock: Clock,
        limits: LiveLimits,
    ) -> None:
        self._rooms = rooms
        self._personal = personal
        self._stream = stream
        self._clock = clock
        self._limits = limits
        self._watches: dict[UserId, OwnWatch] = {}
        self._behind: set[UserId] = set()
        self._has_behind = asyncio.Event()
        self._is_suspect = False

    async def subscribe(self, user_id: UserId, enter: Callable[[], None]) -> int:
        """Begin to deliver a user's own stream to one more socket.

        Args:
            user_id: Whose.
            enter: Lets the socket into `own_room`.

        Returns:
            The revision from which on everything is delivered live.

        Raises:
            UnavailableError: The database does not answer; the socket is not in.
        """
        watch = self._watches.setdefault(user_id, OwnWatch())
        watch.arriving += 1
        try:
            revision = await self._personal.revision(user_id)
            if watch.buffer is None:
                watch.buffer = RevisionBuffer(revision, limit=self._limits.held)
                early, watch.early = watch.early, []
                for early_revision, payload in early:
                    self.offer(user_id, early_revision, payload)
            enter()  # with no await since: what comes from now on reaches it
            return max(revision, watch.buffer.delivered)
        finally:
            watch.arriving -= 1
            self._is_watched(user_id)

    def offer(self, user_id: UserId, revision: int, payload: Wire | None) -> None:
        """Take a change; deliver it, hold it, read it, or drop it.

        Args:
            user_id: Whose.
            revision: The user's; 0 where the event does not tell it.
            payload: What sockets see; None where it has to be read.
        """
        if not self._is_watched(user_id):
            return
        watch = self._watches[user_id]
        if watch.buffer is None:
            watch.early.append((revision, payload))
            return
        if payload is None or not revision:
            watch.is_untold |= not 0 < revision <= watch.buffer.delivered
        else:
            now = self._clock.monotonic()
            for ready in watch.buffer.offer(revision, payload, now):
                self._deliver(user_id, ready)
        if watch.is_untold or watch.buffer.has_hole:
            self._behind.add(user_id)
            self._has_behind.set()

    def suspect(self) -> None:
        """Hear of a change that concerns users who are not named: all are compared."""
        self._is_suspect = True
        self._has_behind.set()

    async def fill_holes(self) -> None:
        """Read what is missing as soon as it should be, until cancelled."""
        while True:
            await self._has_behind.wait()
            await self.fill_overdue()
            if self._behind or self._is_suspect:
                await asyncio.sleep(self._limits.patience_seconds / 4)
            else:
                self._has_behind.clear()

    async def fill_overdue(self) -> None:
        """Read what no event tells now, and every hole that is overdue."""
        if self._is_suspect:
            self._is_suspect = False  # what comes meanwhile sets it again
            self._is_suspect |= not await self.poll_once()
        for user_id in list(self._behind):
            watch = self._watches.get(user_id)
            if watch is None or watch.buffer is None:
                self._behind.discard(user_id)
                continue
            now = self._clock.monotonic()
            is_overdue = watch.buffer.is_overdue(now, self._limits.patience_seconds)
            if watch.is_untold or is_overdue:
                await fill_safely("own", self._fill, user_id)
            if not watch.is_untold and not watch.buffer.has_hole:
                self._behind.discard(user_id)

    async def poll_once(self) -> bool:
        """Compare revisions with the database and fill what is behind.

        Returns:
            Whether every comparison and every fill succeeded.
        """
        watched = [
            user_id for user_id in list(self._watches) if self._is_watched(user_id)
        ]
        return await fill_behind(
            "own",
            watched,
            revisions=self._personal.revisions,
            delivered=self._delivered,
            fill=self._fill,
        )

    def _delivered(self, user_id: UserId) -> int | None:
        watch = self._watches.get(user_id)
        return watch.buffer.delivered if watch and watch.buffer else None

    def _is_watched(self, user_id: UserId) -> bool:
        """Tell whether anybody here listens; forget a user whose sockets have left."""
        watch = self._watches.get(user_id)
        if watch is None:
            return False
        if watch.arriving or self._rooms.has(own_room(user_id)):
            return True
        del self._watches[user_id]
        self._behind.discard(user_id)
        return False

    async def _fill(self, user_id: UserId) -> None:
        """Deliver the current state of what changed after the last delivered one."""
        has_more = True
        while has_more:
            watch = self._watches.get(user_id)
            if watch is None or watch.buffer is None:
                return
            watch.is_untold = False  # what comes while it is read sets it again
            try:
                changes = await self._stream.changes(
                    user_id, since=watch.buffer.delivered, limit=_FILL_LIMIT
                )
            except AppError:
                watch.is_untold = True
                raise
            delivered = watch.buffer.delivered  # may have moved while we were reading
            for item in changes.items:
                if item.user_revision > delivered:
                    self._deliver(user_id, own_event(item))
            now = self._clock.monotonic()
            for ready in watch.buffer.advance(changes.revision, now):
                self._deliver(user_id, ready)
            has_more = changes.has_more

    def _deliver(self, user_id: UserId, payload: Wire) -> None:
        self._rooms.emit((own_room(user_id),), OWN_EVENT, payload)
