"""Outbox and inbox of an open bus, with the tasks that serve them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from libs.events.inbox import MongoInbox
from libs.events.order_book import MongoOrderBook
from libs.events.outbox import FramePublisher, OutboxStore, Relay, Sweeper, Transactions
from libs.events.outbox.lease import Lease
from libs.events.settings import BusSettings
from libs.events.staging import Stager
from libs.kernel import Clock, end_tasks, new_id

_log = structlog.get_logger(__name__)
_RESTART_SECONDS = 1.0


@dataclass(frozen=True)
class Persistence:
    """What an open bus has in the service's database."""

    store: OutboxStore
    transactions: Transactions
    inbox: MongoInbox
    relay: Relay
    sweeper: Sweeper

    def report(self) -> dict[str, Any]:
        """Return the backlog for a health page."""
        return {
            "rows": self.sweeper.backlog_rows,
            "oldest_seconds": round(self.sweeper.backlog_age_seconds, 3),
            "in_memory": len(self.relay),
            "parked_keys": self.sweeper.parked_keys,
        }


@asynccontextmanager
async def open_persistence(
    database: AsyncDatabase[dict[str, Any]],
    settings: BusSettings,
    stager: Stager,
    clock: Clock,
    publisher: FramePublisher,
) -> AsyncIterator[Persistence]:
    """Make collections' indexes, run relay and sweeper, drain when left."""
    relay_id = f"{settings.instance_id}:{new_id()}"
    store = OutboxStore(database, relay_id)
    lease = Lease(database, relay_id, settings.lease_ttl)
    relay = Relay(store, publisher, settings)
    sweeper = Sweeper(store, lease, relay, settings)
    transactions = Transactions(database, store, stager, relay)
    inbox = MongoInbox(database, transactions, stager, clock)
    order_book = MongoOrderBook(database, transactions, inbox, clock)
    inbox.use_order_book(order_book)
    await asyncio.gather(
        store.ensure_indexes(),
        lease.ensure_indexes(),
        inbox.ensure_indexes(),
        order_book.ensure_indexes(),
    )
    await lease.beat()
    tasks = [
        asyncio.create_task(_supervise("relay", relay.run, relay)),
        asyncio.create_task(_supervise("sweeper", sweeper.run, relay)),
    ]
    try:
        yield Persistence(store, transactions, inbox, relay, sweeper)
    finally:
        await _drain(relay, settings.drain_timeout.total_seconds())
        await end_tasks(tasks)
        await _release(lease)


async def _drain(relay: Relay, within_seconds: float) -> None:
    try:
        async with asyncio.timeout(within_seconds):
            await relay.drain()
    except TimeoutError:
        _log.warning("outbox_left_to_sweeper", count=len(relay))


async def _release(lease: Lease) -> None:
    try:
        await lease.release()
    except PyMongoError:
        return  # it runs out by itself


async def _supervise(
    name: str, work: Callable[[], Coroutine[Any, Any, None]], relay: Relay
) -> None:
    """Run a task for ever: what it did not expect is logged, then it begins again."""
    while True:
        try:
            await work()
        except Exception as err:  # noqa: BLE001 - the task supervisor is an edge
            _log.critical("events_task_died", task=name, exc_info=err)
            relay.recover()
        await asyncio.sleep(_RESTART_SECONDS)
