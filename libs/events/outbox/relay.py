"""The relay: publishes committed events from memory, deletes them when confirmed."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from typing import Protocol

import structlog
from pymongo.errors import PyMongoError

from libs.events import metrics
from libs.events.errors import BrokerAwayError, PublishRefusedError
from libs.events.frames import Frame, FrameQueue, Row
from libs.events.outbox.store import OutboxStore
from libs.events.settings import BusSettings

_log = structlog.get_logger(__name__)
_PAUSE_SECONDS = 0.5
_GATHER_SECONDS = 0.05  # one statement deletes what was confirmed meanwhile
_MOST_DELETED = 10_000  # ids in one statement, which has 16 MiB


class FramePublisher(Protocol):
    """Puts a frame on its exchange and waits for the broker's confirm."""

    async def publish_frame(self, frame: Frame) -> None:
        """Publish.

        Raises:
            BrokerAwayError: No confirm; the frame may or may not be there.
            PublishRefusedError: This frame will never be taken.
        """
        ...

    async def wait_until_connected(self) -> None:
        """Return when publishing is worth a try."""
        ...


class Relay:
    """Takes committed rows and gets them to the broker, in order by key.

    Memory is bounded: over the bound copies are forgotten, their rows stay in the
    outbox and are read back when there is room (`refill`).
    """

    def __init__(
        self, store: OutboxStore, publisher: FramePublisher, settings: BusSettings
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._settings = settings
        self._queue = FrameQueue()
        self._slots = asyncio.Semaphore(settings.confirm_window)
        self._wake = asyncio.Event()
        self._has_confirmed = asyncio.Event()
        self._settled = asyncio.Event()
        self._confirmed: dict[str, None] = {}
        self._late: list[Row] | None = None
        self._is_behind = False
        self._is_suspect = False
        self.blocked_keys: set[str] = set()

    def __len__(self) -> int:
        """Rows in memory, those in unconfirmed frames included."""
        return len(self._queue)

    def knows(self, row_id: str) -> bool:
        """Tell whether a row is in memory, or confirmed and not yet deleted."""
        return row_id in self._queue or row_id in self._confirmed

    @property
    def has_room(self) -> bool:
        """Whether less than half of the memory bound is taken."""
        return (
            len(self._queue) * 2 < self._settings.relay_max_rows
            and self._queue.size_bytes * 2 < self._settings.relay_max_bytes
        )

    @property
    def needs_refill(self) -> bool:
        """Whether the outbox may hold rows of ours that are not in memory."""
        return self._is_behind or self._is_suspect

    def enqueue(self, rows: Sequence[Row]) -> None:
        """Take rows that were just committed; never waits."""
        if self._late is not None:
            self._late.extend(rows[: self._settings.relay_max_rows - len(self._late)])
        elif self._is_behind or self._is_full():
            self._is_behind = True
            metrics.outbox_forgotten.inc(len(rows))
        else:
            self._add(rows)

    def suspect(self) -> None:
        """Note that rows may have been committed without our knowing."""
        self._is_suspect = True

    def recover(self) -> None:
        """Begin anew from the outbox: what is in memory may be half done."""
        self._queue = FrameQueue()
        self._slots = asyncio.Semaphore(self._settings.confirm_window)
        self._is_suspect = True

    def block(self, keys: set[str]) -> None:
        """Hold back these keys and no others: a refused event waits in each."""
        if self.blocked_keys - keys:
            self._is_suspect = True
        self.blocked_keys = keys

    async def run(self) -> None:
        """Publish what is queued, for ever; cancel it to stop."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._delete_confirmed())
            while True:
                await self._slots.acquire()
                frame = await self._next_frame()
                tasks.create_task(self._send(frame))

    async def refill(
        self, owners: Sequence[str], *, older_than: timedelta | None
    ) -> int:
        """Read rows from the outbox that are not in memory, up to half of the bound.

        Rows that commit meanwhile queue behind them. Returns how many were read.
        """
        is_own = list(owners) == [self._store.relay_id]
        if is_own:
            self._late = []
            self._is_suspect = False  # who suspects from now on is not answered by this
        count, is_complete = 0, False
        try:
            rows, is_complete = await self._read(owners, older_than)
            count = len(rows)
            self._add(rows)
        finally:
            if is_own:
                self._finish_own_refill(is_complete=is_complete)
        return count

    async def drain(self) -> None:
        """Return when everything in memory is published and deleted."""
        while len(self._queue) or self._confirmed:
            self._settled.clear()
            await self._settled.wait()

    def _finish_own_refill(self, *, is_complete: bool) -> None:
        late, self._late = self._late or [], None
        is_whole = len(late) < self._settings.relay_max_rows
        if is_complete and is_whole:
            self._is_behind = False
            self.enqueue(late)
        else:
            self._is_suspect = True
            self._is_behind = self._is_behind or bool(late)

    async def _read(
        self, owners: Sequence[str], older_than: timedelta | None
    ) -> tuple[list[Row], bool]:
        """Return unknown rows and whether there are no more of them."""
        rows: list[Row] = []
        size = 0
        found = self._store.read(
            owners, older_than=older_than, blocked=self.blocked_keys
        )
        async for row in found:
            if self.knows(row.id):
                continue
            rows.append(row)
            size += len(row.body)
            if (
                len(rows) * 2 >= self._settings.relay_max_rows
                or size * 2 >= self._settings.relay_max_bytes
            ):
                await found.aclose()
                return rows, False
        return rows, True

    def _is_full(self) -> bool:
        return (
            len(self._queue) >= self._settings.relay_max_rows
            or self._queue.size_bytes >= self._settings.relay_max_bytes
        )

    def _add(self, rows: Sequence[Row]) -> None:
        if self.blocked_keys:
            rows = [row for row in rows if row.key not in self.blocked_keys]
        self._queue.add(rows)
        self._observe()
        self._wake.set()

    def _observe(self) -> None:
        metrics.outbox_memory.set(len(self._queue))
        metrics.outbox_memory_bytes.set(self._queue.size_bytes)

    async def _next_frame(self) -> Frame:
        while True:
            frame = self._queue.next_frame()
            if frame is not None:
                return frame
            self._wake.clear()
            await self._wake.wait()

    async def _send(self, frame: Frame) -> None:
        try:
            await self._publisher.wait_until_connected()
            await self._publisher.publish_frame(frame)
        except BrokerAwayError:
            metrics.of(metrics.returned, frame.type, "away").inc(len(frame.rows))
            await asyncio.sleep(_PAUSE_SECONDS)
            self._queue.put_back(frame)
        except PublishRefusedError as err:
            await self._refuse(frame, err)
        except Exception as err:  # noqa: BLE001 - the relay must outlive any frame
            _log.error("frame_failed", event_type=frame.type, exc_info=err)
            await asyncio.sleep(_PAUSE_SECONDS)
            self._queue.put_back(frame)
        else:
            metrics.of(metrics.confirmed, frame.type).inc(len(frame.rows))
            self._queue.confirm(frame)
            self._confirmed.update(dict.fromkeys([row.id for row in frame.rows]))
            self._has_confirmed.set()
        finally:
            self._slots.release()
            self._observe()
            self._wake.set()

    async def _refuse(self, frame: Frame, err: PublishRefusedError) -> None:
        metrics.of(metrics.returned, frame.type, "refused").inc(len(frame.rows))
        self.blocked_keys |= {row.key for row in frame.rows}
        _log.error("events_refused", event_type=frame.type, count=len(frame.rows))
        try:
            parked = await self._store.refuse(
                frame.rows, str(err), park_after=self._settings.park_after
            )
        except PyMongoError:
            self._is_suspect = True
        else:
            for event_id in parked:
                _log.error("event_parked", event_type=frame.type, event_id=event_id)
        self._queue.drop(frame)
        self._settled.set()

    async def _delete_confirmed(self) -> None:
        while True:
            await self._has_confirmed.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            ids = list(islice(self._confirmed, _MOST_DELETED))
            try:
                await self._store.delete(ids)
            except PyMongoError as err:
                _log.warning("outbox_not_deleted", error_type=type(err).__name__)
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                for event_id in ids:
                    del self._confirmed[event_id]
                if not self._confirmed:
                    self._has_confirmed.clear()
                self._settled.set()
