"""The sweeper: publishes what a process left in the outbox when it died.

Every relay keeps a heartbeat; rows whose relay has none any more are orphans. One
process at a time holds the lease to sweep them, by the server's clock, and does it
through its own relay. Rows of living relays are never touched, so a long outage of
the broker does not double the traffic after it.
"""

import asyncio

import structlog
from pymongo.errors import PyMongoError

from libs.events import metrics
from libs.events.outbox.lease import Lease
from libs.events.outbox.relay import Relay
from libs.events.outbox.store import OutboxStore
from libs.events.settings import BusSettings
from libs.events.timing import id_age_seconds

_log = structlog.get_logger(__name__)
_BEHIND_SECONDS = 0.1


class Sweeper:
    """Keeps the heartbeat, refills the own relay, sweeps orphans, counts the backlog.

    Attributes:
        backlog_rows: Rows in the outbox at the last look.
        backlog_age_seconds: Age of the oldest of them.
        parked_keys: Keys that a refused event holds back.
    """

    def __init__(
        self, store: OutboxStore, lease: Lease, relay: Relay, settings: BusSettings
    ) -> None:
        self._store = store
        self._lease = lease
        self._relay = relay
        self._grace = settings.sweep_grace
        self._period = settings.lease_ttl.total_seconds() / 3
        self.backlog_rows = 0
        self.backlog_age_seconds = 0.0
        self.parked_keys = 0

    async def run(self) -> None:
        """Work until cancelled; a database that is away is tried again."""
        while True:
            try:
                await self._round()
            except PyMongoError as err:
                _log.warning("sweep_failed", error_type=type(err).__name__)
            is_behind = self._relay.needs_refill and self._relay.has_room
            await asyncio.sleep(_BEHIND_SECONDS if is_behind else self._period)

    async def _round(self) -> None:
        await self._lease.beat()
        await self._measure()
        if self._relay.needs_refill and self._relay.has_room:
            await self._relay.refill([self._store.relay_id], older_than=None)
        if await self._lease.acquire():
            await self._sweep()

    async def _sweep(self) -> None:
        orphans = await self._store.owners() - await self._lease.living()
        orphans.discard(self._store.relay_id)
        while orphans and self._lease.is_held and self._relay.has_room:
            count = await self._relay.refill(sorted(orphans), older_than=self._grace)
            if not count:
                return
            metrics.outbox_swept.inc(count)
            _log.info("outbox_swept", count=count, epoch=self._lease.epoch)

    async def _measure(self) -> None:
        blocked, self.parked_keys = await self._store.blocked_keys()
        self._relay.block(blocked)
        self.backlog_rows = await self._store.count()
        oldest = await self._store.oldest_id()
        self.backlog_age_seconds = id_age_seconds(oldest) if oldest else 0.0
        is_late = self.backlog_age_seconds > self._grace.total_seconds()
        if oldest and is_late and not self._relay.knows(oldest):
            # A commit of unknown outcome may show up after the refill it asked for.
            self._relay.suspect()
        metrics.outbox_rows.set(self.backlog_rows)
        metrics.outbox_age.set(self.backlog_age_seconds)
        metrics.outbox_parked.set(self.parked_keys)
