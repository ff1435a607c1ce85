"""Parley as services use it: a document and an outbox row in one transaction, relay,
quorum queue, inbox row and effect in the handler's transaction.
"""  # noqa: D205 - one sentence

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr
from pymongo.asynchronous.database import AsyncDatabase

from bench.events.meter import (
    OUTSTANDING,
    Order,
    Tally,
    ask,
    measure_delay,
    measure_rate,
    rss_mb,
    run_cell,
)
from bench.events.parley import (
    BATCHED_OUTSTANDING,
    CHUNK,
    SERVICE,
    SampleGrouped,
    SampleSent,
    document_of,
    set_up,
    worker,
)
from bench.events.sample import fields_of
from bench.events.servers import DATABASE
from libs.chassis.mongo import open_mongo
from libs.chassis.settings import MongoSettings
from libs.events import BusSettings
from libs.events.rabbitmq import open_bus
from libs.events.rabbitmq.bus import RabbitBus

_SINGLE_WRITERS = 32
_BATCH_WRITERS = 4
_WAITING_CHUNK = 500
_WAITING_SECONDS = 900.0


class Service:
    """A service that writes, publishes, consumes and writes again."""

    def __init__(
        self, bus: RabbitBus, database: AsyncDatabase[dict[str, Any]], tally: Tally
    ) -> None:
        self._bus = bus
        self._documents = database["documents"]
        self._effects = database["effects"]
        self.tally = tally
        self.sent: dict[int, float] = {}

    async def send(self) -> None:
        """Commit one document with its event."""
        fields = fields_of(await self.tally.take())
        async with self._bus.transaction() as tx:
            await self._documents.insert_one(document_of(fields), session=tx.session)
            tx.publish(SampleSent(**fields))
        self.sent[fields["revision"]] = time.perf_counter()
        self.tally.published += 1

    async def send_chunk(self, size: int = CHUNK) -> None:
        """Commit many documents with their events, as a group commit does."""
        numbers = [await self.tally.take() for _ in range(size)]
        many = [fields_of(number) for number in numbers]
        async with self._bus.transaction() as tx:
            await self._documents.insert_many(
                [document_of(fields) for fields in many], session=tx.session
            )
            for fields in many:
                tx.publish(SampleGrouped(**fields))
        self.tally.published += size

    async def store(self, documents: list[dict[str, Any]], session: Any) -> None:  # noqa: ANN401 - pymongo's AsyncClientSession
        """Write effects in the handler's transaction."""
        if len(documents) == 1:
            await self._effects.insert_one(documents[0], session=session)
        else:
            await self._effects.insert_many(documents, session=session)


async def measure_waiting(order: Order, service: Service) -> dict[str, float]:
    """Let events wait while the broker is away, then let them go; memory in MB."""
    await ask("cut")
    before = most = rss_mb()
    filled_at = time.monotonic()
    while service.tally.published < order.count:
        await service.send_chunk(_WAITING_CHUNK)
        most = max(most, rss_mb())
    filling = time.monotonic() - filled_at
    await ask("open")
    opened_at = time.monotonic()
    draining = asyncio.create_task(service.tally.settle(_WAITING_SECONDS))
    most_draining = 0.0
    while not draining.done():
        most_draining = max(most_draining, rss_mb())
        await asyncio.wait([draining], timeout=0.2)
    return {
        "events": service.tally.published,
        "rss_before_mb": before,
        "rss_waiting_mb": most,
        "rss_draining_mb": most_draining,
        "fill_seconds": filling,
        "drain_seconds": time.monotonic() - opened_at,
        "lost": service.tally.published - service.tally.handled,
        "duplicates": service.tally.duplicates,
    }


@asynccontextmanager
async def open_service(order: Order, tally: Tally) -> AsyncIterator[Service]:
    """Open database and bus as a service does, and consume."""
    mongo = MongoSettings(mongo_url=SecretStr(order.mongo_url), mongo_database=DATABASE)
    settings = BusSettings(SERVICE, "bench-1", order.amqp_url)
    async with (
        open_mongo(mongo) as database,
        open_bus(settings, database, worker) as bus,
    ):
        for name in ("documents", "effects"):
            await database.drop_collection(name)
            await database.create_collection(name)
        service = Service(bus, database, tally)
        async with bus.run_worker(worker, service):
            while not all(bus.health()["subscriptions"].values()):  # noqa: ASYNC110 - health tells no event
                await asyncio.sleep(0.05)
            yield service


async def cell(order: Order) -> dict[str, float]:
    """Measure one scenario."""
    set_up(order)
    outstanding = {"single": OUTSTANDING, "delay": OUTSTANDING}
    tally = Tally(order.count or outstanding.get(order.scenario, BATCHED_OUTSTANDING))
    async with open_service(order, tally) as service:
        if order.scenario == "waiting":
            return await measure_waiting(order, service)
        if order.scenario == "delay":
            return await measure_delay(order, tally, service.send)
        if order.scenario == "single":
            return await measure_rate(order, tally, service.send, _SINGLE_WRITERS)
        return await measure_rate(order, tally, service.send_chunk, _BATCH_WRITERS)


if __name__ == "__main__":
    run_cell(cell)
