"""Numbers, chains and checkpoints the records of one service."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from libs.chassis.audit import metrics
from libs.chassis.audit.chain import (
    ORIGIN,
    AuditKeys,
    ChainLink,
    ChainStore,
    PendingRecord,
    whole_milliseconds,
)
from libs.chassis.audit.checkpoints import CheckpointSink
from libs.chassis.audit.errors import ChainMovedError
from libs.chassis.audit.metrics import WaitingGauge
from libs.kernel import AppError, Clock, UnavailableError

PAUSE_SECONDS: Final = 0.4
BATCH: Final = 500
CHECKPOINT_SECONDS: Final = 60.0
CHECKPOINT_RECORDS: Final = 1_000
LEASE_TTL: Final = timedelta(seconds=6)

_log = structlog.get_logger(__name__)


class SealerLease(Protocol):
    """What only one process holds; `libs.chassis.lease.MongoLease` is one."""

    epoch: int

    @property
    def is_held(self) -> bool:
        """Whether it is safe to act on it."""
        ...

    async def acquire(self) -> bool:
        """Take or renew it."""
        ...

    async def release(self) -> None:
        """Give it up."""
        ...


class AuditSealer:
    """Seals while it holds the lease; every process of a service has one.

    It takes whatever waits, in whatever order it became visible: a record whose
    transaction committed late gets the next number. Numbers are unique in the database,
    so a holder that lost its lease without noticing does no harm.

    Args:
        service: Whose chain it is.
        store: Records and chain.
        keys: Chain and sign.
        sink: The second place.
        lease: Makes it one sealer at a time.
        clock: Gives the times.
    """

    def __init__(
        self,
        service: str,
        *,
        store: ChainStore,
        keys: AuditKeys,
        sink: CheckpointSink,
        lease: SealerLease,
        clock: Clock,
    ) -> None:
        self._service = service
        self._store = store
        self._keys = keys
        self._sink = sink
        self._lease = lease
        self._clock = clock
        self._head: ChainLink | None = None
        self._covered = 0
        self._covered_at = float("-inf")
        self._is_begun = False
        self._unsealed = WaitingGauge(metrics.seal_age_seconds, clock.monotonic)
        self._uncovered = WaitingGauge(metrics.checkpoint_age_seconds, clock.monotonic)

    async def run(self) -> None:
        """Seal until cancelled; while the database is away, records wait."""
        while True:
            try:
                await self.step()
            except UnavailableError as error:
                _log.warning("audit_sealing_failed", error=error.code)
            await asyncio.sleep(PAUSE_SECONDS)

    async def step(self) -> int:
        """Seal what waits and make a checkpoint if it is time.

        Returns:
            How many records got their number; 0 without the lease.
        """
        if not self._lease.is_held and not await self._take_lease():
            return 0
        sealed = 0
        try:
            while rows := await self._store.pending(BATCH):
                self._unsealed.waits(is_waiting=True)
                sealed += await self._seal(rows)
        except ChainMovedError:
            _log.warning("audit_sealing_overtaken", epoch=self._lease.epoch)
            self._is_begun = False
            return sealed
        self._unsealed.waits(is_waiting=False)
        await self._checkpoint_if_due()
        return sealed

    async def finish(self) -> None:
        """Seal and sign what there is and give up the lease: a stop in good order."""
        with suppress(AppError):
            if self._lease.is_held:
                await self.step()
                await self._checkpoint()
                await self._lease.release()

    async def _take_lease(self) -> bool:
        held_before = self._lease.epoch
        if not await self._lease.acquire():
            self._is_begun = False
            self._unsealed.waits(is_waiting=False)
            self._uncovered.waits(is_waiting=False)
            return False
        if not self._is_begun or self._lease.epoch != held_before:
            await self._begin()
        return True

    async def _begin(self) -> None:
        """Look where the chain ends, and whether that fits what was signed."""
        self._head = await self._store.head()
        self._covered, self._covered_at = 0, float("-inf")
        with suppress(OSError):
            last = await self._sink.last()
            if last is not None and last.service == self._service:
                link = await self._store.link(last.seq)
                if link is None or link.hash != last.hash:
                    self._tell_break(last.seq, "checkpoint")
                elif self._head is not None and self._head.seq == last.seq:
                    self._covered = last.seq
                    self._covered_at = self._clock.monotonic()
        self._is_begun = True

    async def _seal(self, rows: list[PendingRecord]) -> int:
        head = await self._store.head()
        if head != self._head:
            expected = self._head.seq if self._head else 0
            if head is None or head.seq <= expected:
                self._tell_break(expected, "database")
            self._head = head
        links = self._linked(head, rows)
        await self._store.append(links)
        self._head = links[-1]
        metrics.sealed_total.inc(len(links))
        self._uncovered.waits(is_waiting=True)
        return len(links)

    def _linked(
        self, head: ChainLink | None, rows: list[PendingRecord]
    ) -> list[ChainLink]:
        seq, previous = (head.seq, head.hash) if head else (0, ORIGIN)
        now = whole_milliseconds(self._clock.now())
        links = []
        for row in rows:
            seq += 1
            link = self._link(seq, previous, row, now)
            links.append(link)
            previous = link.hash
        return links

    def _link(
        self, seq: int, previous: str, row: PendingRecord, now: datetime
    ) -> ChainLink:
        bare = ChainLink(
            seq=seq,
            record_id=row.record_id,
            record_hash=row.record_hash,
            previous=previous,
            epoch=self._lease.epoch,
            key_id=self._keys.current_id,
            sealed_at=now,
        )
        return self._keys.chained(self._service, bare)

    async def _checkpoint_if_due(self) -> None:
        if self._head is None:
            return
        new = self._head.seq - self._covered
        age_seconds = self._clock.monotonic() - self._covered_at
        if new >= CHECKPOINT_RECORDS or (new and age_seconds >= CHECKPOINT_SECONDS):
            await self._checkpoint()

    async def _checkpoint(self) -> None:
        head = self._head
        if head is None or head.seq == self._covered:
            return
        self._uncovered.waits(is_waiting=True)
        checkpoint = self._keys.signed(self._service, head, self._clock.now())
        try:
            await self._sink.append(checkpoint)
        except OSError as error:
            metrics.sink_failures_total.inc()
            _log.warning("audit_checkpoint_failed", error=type(error).__name__)
            return
        self._covered, self._covered_at = head.seq, self._clock.monotonic()
        self._uncovered.waits(is_waiting=False)

    def _tell_break(self, seq: int, place: str) -> None:
        metrics.breaks_total.inc()
        _log.error("audit_chain_broken", service=self._service, seq=seq, place=place)
