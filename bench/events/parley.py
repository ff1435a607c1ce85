"""What Parley's cells share: events, worker, handlers, logging."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from bench.events.meter import Order, Tally
from bench.events.sample import PREFETCH
from libs.chassis.logging import configure_logging
from libs.chassis.settings import ServiceSettings, SettingsConfigDict
from libs.chassis.telemetry import configure_telemetry
from libs.events import Batch, Context, Event, Worker

SERVICE = "bench"
CHUNK = 64
"""Events of one transaction, or handed to the relay at once, where it is batched."""

BATCHED_OUTSTANDING = 256 * CHUNK


class _Sample(Event):
    """The payload; the same fields as everywhere."""

    conversation_id: str
    message_id: str
    client_message_id: str
    seq: int
    revision: int
    sender_id: str
    content: str
    mentions: tuple[str, ...]


class SampleSent(_Sample, type="sample.sent", version=1, key="conversation_id"):
    """Taken one by one."""


class SampleGrouped(_Sample, type="sample.grouped", version=1, key="conversation_id"):
    """Taken in batches."""


worker = Worker(SERVICE, emits=[SampleSent, SampleGrouped])


class App(Protocol):
    """What the handlers do with an event."""

    tally: Tally
    sent: dict[int, float]

    async def store(self, documents: list[dict[str, Any]], session: object) -> None:
        """Write the effects."""
        ...


@worker.subscribe(SampleSent, name="one-by-one", prefetch=PREFETCH)
async def handle(event: SampleSent, context: Context) -> None:
    """Take one event."""
    app: App = context.app
    committed = app.sent.pop(event.revision, None)
    if committed is not None:
        app.tally.delays.append(time.perf_counter() - committed)
    await app.store([effect_of(event)], context.session)
    app.tally.note(event.revision)


@worker.subscribe_batch(SampleGrouped, name="batched")
async def handle_batch(batch: Batch[SampleGrouped]) -> None:
    """Take up to 500 events."""
    app: App = batch.items[0].context.app
    effects = [effect_of(item.event) for item in batch.items]
    await app.store(effects, batch.session)
    for item in batch.items:
        app.tally.note(item.event.revision)


def effect_of(event: _Sample) -> dict[str, Any]:
    """Return the document that a handler writes."""
    return {"_id": event.message_id, "c": event.conversation_id, "n": event.seq}


def document_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the document whose change is the event."""
    at = datetime.now(UTC)
    return {**fields, "_id": fields["message_id"], "at": at}


class _BenchSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="BENCH_")


def set_up(order: Order) -> None:
    """Log warnings, or log and trace as a service does: a line and a span an event."""
    settings = _BenchSettings(
        port=1,
        public_url="http://127.0.0.1",
        internal_jwks_file=Path(),
        data_dir=Path(),
        log_level="info" if order.has_logs else "warning",
        log_format="json",
    )
    configure_logging(settings)
    if order.has_logs:
        configure_telemetry(settings)
