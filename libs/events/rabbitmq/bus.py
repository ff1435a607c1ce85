"""`EventBus` on RabbitMQ and MongoDB."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import structlog
from pymongo.asynchronous.database import AsyncDatabase

from libs.events import metrics
from libs.events.bus import Transaction, Worker
from libs.events.errors import BrokerAwayError, PublishRefusedError
from libs.events.event import Event
from libs.events.frames import Frame
from libs.events.rabbitmq.consumer import Consumer
from libs.events.rabbitmq.link import Link
from libs.events.rabbitmq.persistence import Persistence, open_persistence
from libs.events.rabbitmq.publisher import Publisher
from libs.events.rabbitmq.watchdog import Watchdog
from libs.events.rabbitmq.working import WorkerSession
from libs.events.retrying import jittered
from libs.events.settings import BusSettings
from libs.events.staging import StagedTransaction, Stager
from libs.kernel import Clock, SystemClock, UnavailableError

R = TypeVar("R")
_log = structlog.get_logger(__name__)
_MAX_TRANSIENT = 256


class RabbitBus:
    """The bus of one service; made by `open_bus`."""

    def __init__(
        self,
        settings: BusSettings,
        worker: Worker | None,
        clock: Clock,
    ) -> None:
        self._settings = settings
        emits = (
            None
            if worker is None
            else frozenset(cls.event_type for cls in worker.emits)
        )
        self._clock = clock
        self._stager = Stager(settings.service, clock, emits)
        name = f"{settings.service}/{settings.instance_id}"
        url = settings.amqp_url_now or (lambda: settings.amqp_url)
        self._publish_link = Link(url, f"{name} publish", self._delay)
        self._consume_link = Link(url, f"{name} consume", self._delay)
        self._publisher = Publisher(
            self._publish_link, settings.service, settings.publish_timeout
        )
        self._persistence: Persistence | None = None
        self._sessions: list[WorkerSession] = []
        self._transient: set[asyncio.Task[None]] = set()
        self._live_callbacks: list[Callable[[bool], None]] = []
        self._watchdog = Watchdog(self._consumers, settings.give_up_after)

    # -- publishing

    def transaction(self) -> AbstractAsyncContextManager[StagedTransaction]:
        """Open a transaction; see `libs.events.bus.EventBus.transaction`."""
        return self._database().transactions.open()

    async def run_transaction(
        self, callback: Callable[[Transaction], Awaitable[R]]
    ) -> R:
        """Run a callback in one; see `libs.events.bus.EventBus.run_transaction`."""
        return await self._database().transactions.run(callback)

    async def publish_transient(self, event: Event) -> None:
        """Publish at most once; see `libs.events.bus.EventBus.publish_transient`."""
        row = self._stager.row(event)
        if not self._publisher.is_connected or len(self._transient) >= _MAX_TRANSIENT:
            metrics.of(metrics.transient_dropped, row.type).inc()
            return
        frame = Frame(row.type, row.exchange, [row])
        task = asyncio.create_task(self._send_transient(frame))
        self._transient.add(task)
        task.add_done_callback(self._transient.discard)

    # -- consuming

    @asynccontextmanager
    async def run_worker(self, worker: Worker, app: object) -> AsyncIterator[None]:
        """Consume until the block is left; see `libs.events.bus.EventBus.run_worker`.

        Raises:
            ValueError: A durable subscription, but no database for its inbox.
        """
        if worker.subscriptions and self._persistence is None:
            raise ValueError(f"{worker.service}: a subscription needs a database")
        session = WorkerSession(
            worker,
            self._settings,
            link=self._consume_link,
            publisher=self._publisher,
            effects=self._persistence.inbox if self._persistence else None,
            on_live_change=self._live_changed,
            delay=self._delay,
        )
        self._sessions.append(session)
        try:
            async with session.running(app):
                yield
        finally:
            self._sessions.remove(session)

    @property
    def live_is_connected(self) -> bool:
        """Whether every live subscription has its consumer now."""
        return all(session.live_is_connected for session in self._sessions)

    def on_live_change(self, callback: Callable[[bool], None]) -> None:
        """Call back with `live_is_connected` whenever a live consumer comes or goes.

        After True the queue is new: what passed since False was not seen.
        """
        self._live_callbacks.append(callback)

    def on_given_up(self, callback: Callable[[str], None]) -> None:
        """Call back with a subscription's label when it is given up.

        Only where `BusSettings.give_up_after` is set. Ending the process, for example
        with ``signal.raise_signal(signal.SIGTERM)``, lets its supervisor start it anew.
        """
        self._watchdog.add(callback)

    # -- health

    def health(self) -> Mapping[str, Any]:
        """Return what a health page shows: connections, subscriptions, backlog.

        ``is_healthy`` is False while a connection is down or a subscription has had
        no consumer for longer than `BusSettings.consumer_grace`.
        """
        consumers = self._consumers()
        grace = self._settings.consumer_grace.total_seconds()
        late = [c.label for c in consumers if c.seconds_without > grace]
        is_consuming = self._consume_link.is_connected or not consumers
        report: dict[str, Any] = {
            "is_healthy": self._publish_link.is_connected and is_consuming and not late,
            "publish_connected": self._publish_link.is_connected,
            "consume_connected": self._consume_link.is_connected,
            "subscriptions": {c.label: c.is_consuming for c in consumers},
            "without_consumer": late,
        }
        if self._persistence is not None:
            report["outbox"] = self._persistence.report()
        return report

    async def check(self) -> None:
        """Raise when the bus is not healthy; for a health check.

        Raises:
            UnavailableError: See `health`.
        """
        report = self.health()
        if not report["is_healthy"]:
            raise UnavailableError(
                "events_unavailable",
                "The event bus is not connected.",
                without_consumer=report["without_consumer"],
            )

    # -- life

    @asynccontextmanager
    async def running(
        self, database: AsyncDatabase[dict[str, Any]] | None
    ) -> AsyncIterator[None]:
        """Connect, relay and sweep until the block is left."""
        links = [
            asyncio.create_task(self._publish_link.run()),
            asyncio.create_task(self._consume_link.run()),
            asyncio.create_task(self._watchdog.run()),
        ]
        try:
            if database is None:
                yield
            else:
                async with open_persistence(
                    database, self._settings, self._stager, self._clock, self._publisher
                ) as self._persistence:
                    yield
        finally:
            for task in (*links, *self._transient):
                task.cancel()
            await asyncio.gather(*links, *self._transient, return_exceptions=True)

    def _database(self) -> Persistence:
        if self._persistence is None:
            raise TypeError(f"{self._settings.service}: the bus has no database")
        return self._persistence

    def _consumers(self) -> list[Consumer]:
        return [c for session in self._sessions for c in session.consumers]

    def _delay(self) -> float:
        most = self._settings.reconnect_delay.total_seconds()
        return jittered(1, first=most, most=most)

    def _live_changed(self, _: bool) -> None:  # noqa: FBT001 - a callback's argument
        is_connected = self.live_is_connected
        for callback in self._live_callbacks:
            callback(is_connected)

    async def _send_transient(self, frame: Frame) -> None:
        try:
            await self._publisher.publish_frame(frame, is_persistent=False)
        except (BrokerAwayError, PublishRefusedError):
            metrics.of(metrics.transient_dropped, frame.type).inc()


@asynccontextmanager
async def open_bus(
    settings: BusSettings,
    database: AsyncDatabase[dict[str, Any]] | None = None,
    worker: Worker | None = None,
    *,
    clock: Clock | None = None,
) -> AsyncIterator[RabbitBus]:
    """Open the bus of a service.

    Does not wait for the broker: events that are committed while it is away leave
    when it is there, and `RabbitBus.health` tells.

    Args:
        settings: Account, names, bounds.
        database: The service's own; None for a service with live subscriptions only.
        worker: Its ``emits`` is what may be published; None allows every type.
        clock: Time of the events; the machine's by default.

    Raises:
        pymongo.errors.PyMongoError: The database does not answer; the outbox's
            indexes are made here.
    """
    bus = RabbitBus(settings, worker, clock or SystemClock())
    async with bus.running(database):
        yield bus
