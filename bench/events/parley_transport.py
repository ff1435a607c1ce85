"""Parley without its database: staging, relay, frames, confirms, lanes, handler.

The library has no such mode, since durable events go through outbox and inbox: here its
own relay, publisher and consumer run with a store and an inbox that do nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from msgspec.structs import replace

from bench.events.meter import OUTSTANDING, Order, Tally, measure_rate, run_cell
from bench.events.parley import (
    BATCHED_OUTSTANDING,
    CHUNK,
    SERVICE,
    SampleGrouped,
    SampleSent,
    set_up,
    worker,
)
from bench.events.sample import fields_of
from libs.events import BusSettings
from libs.events.consuming.ports import BatchWork, Effects, Work
from libs.events.outbox import OutboxStore, Relay
from libs.events.rabbitmq.link import Link
from libs.events.rabbitmq.publisher import Publisher
from libs.events.rabbitmq.working import WorkerSession
from libs.events.staging import StagedTransaction, Stager
from libs.kernel import EventId, SystemClock


class NoOutbox:
    """Stands where the relay deletes what was confirmed."""

    relay_id = "none"

    async def delete(self, ids: Sequence[str]) -> None:
        """Do nothing."""


class NoInbox:
    """`Effects` that keep nothing."""

    def __init__(self, stager: Stager) -> None:
        self._stager = stager

    async def apply(self, _subscription: str, _event_id: EventId, work: Work) -> bool:
        """Run work."""
        await work(StagedTransaction(self._stager, None))
        return True

    async def apply_batch(
        self, _subscription: str, event_ids: Sequence[EventId], work: BatchWork
    ) -> None:
        """Run work over all of them."""
        await work(StagedTransaction(self._stager, None), frozenset(event_ids))


class NoStore:
    """`bench.events.parley.App` without effects."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.sent: dict[int, float] = {}

    async def store(self, documents: list[dict[str, Any]], session: object) -> None:
        """Do nothing."""


class Pipe:
    """A relay, and a way to put events into it."""

    def __init__(self, stager: Stager, relay: Relay, tally: Tally) -> None:
        self._stager = stager
        self._relay = relay
        self._tally = tally

    async def publish(self) -> None:
        """Hand one event to the relay, in a frame of its own."""
        number = await self._tally.take()
        row = self._stager.row(SampleSent(**fields_of(number)))
        self._relay.enqueue([replace(row, is_alone=True)])
        self._tally.published += 1

    async def publish_chunk(self) -> None:
        """Hand over as many events as a group commit does."""
        numbers = [await self._tally.take() for _ in range(CHUNK)]
        self._relay.enqueue(
            [self._stager.row(SampleGrouped(**fields_of(number))) for number in numbers]
        )
        self._tally.published += CHUNK
        await asyncio.sleep(0)


@asynccontextmanager
async def open_pipe(order: Order, tally: Tally) -> AsyncIterator[Pipe]:
    """Connect, relay and consume until the block is left."""
    settings = BusSettings(SERVICE, "bench-1", order.amqp_url)
    stager = Stager(SERVICE, SystemClock())
    out, into = (
        Link(lambda: order.amqp_url, name, lambda: 1.0) for name in ("out", "in")
    )
    publisher = Publisher(out, SERVICE, settings.publish_timeout)
    relay = Relay(cast(OutboxStore, NoOutbox()), publisher, settings)
    session = WorkerSession(
        worker,
        settings,
        link=into,
        publisher=publisher,
        effects=cast(Effects, NoInbox(stager)),
        on_live_change=lambda _: None,
        delay=lambda: 0.1,
    )
    tasks = [asyncio.create_task(work()) for work in (out.run, into.run, relay.run)]
    try:
        await out.wait_until_connected()
        await into.wait_until_connected()
        async with session.running(NoStore(tally)):
            yield Pipe(stager, relay, tally)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def cell(order: Order) -> dict[str, float]:
    """Measure one scenario."""
    set_up(order)
    is_batched = order.scenario == "batched"
    tally = Tally(BATCHED_OUTSTANDING if is_batched else OUTSTANDING)
    async with open_pipe(order, tally) as pipe:
        publish: Callable[[], Awaitable[None]] = (
            pipe.publish_chunk if is_batched else pipe.publish
        )
        return await measure_rate(order, tally, publish, workers=1)


if __name__ == "__main__":
    run_cell(cell)
