"""`EventBus` in memory, for unit and component tests without servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from libs.events.bus import Transaction, Worker
from libs.events.consuming.live import LiveRunner
from libs.events.consuming.ports import Headers
from libs.events.consuming.runner import Runner
from libs.events.consuming.start import make_runner
from libs.events.envelope import decode_event, encode_frame
from libs.events.event import Event
from libs.events.frames import FrameQueue, Row
from libs.events.memory.broker import MemoryBroker, MemoryQueue
from libs.events.memory.effects import MemoryEffects
from libs.events.memory.transactions import MemoryTransactions
from libs.events.names import dead_letter_queue, live_queue, queue_name
from libs.events.staging import StagedTransaction, Stager
from libs.kernel import Clock, FrozenClock

E = TypeVar("E", bound=Event)
R = TypeVar("R")

_POLL_SECONDS = 0.002
_STOP_SECONDS = 5.0


class InMemoryBus:
    """The bus of one service, and a broker of its own.

    Events travel as real frames: they are encoded, cut, decoded, retried and
    deduplicated by the code that runs in production; only broker and database are
    replaced. Give several buses one `broker` to connect services.

    Args:
        service: Name of the emitting service.
        clock: Time of events and of retry tiers.
        has_immediate_tiers: A retry tier takes no time; else it lasts until
            `advance` has moved the clock far enough.
        broker: Shared with other buses; its own by default.

    Attributes:
        published: Every event that was committed, or sent without an outbox.
        effects: Its inbox, and the parked events of ordered subscriptions.
    """

    def __init__(
        self,
        service: str = "test",
        *,
        clock: Clock | None = None,
        has_immediate_tiers: bool = True,
        broker: MemoryBroker | None = None,
    ) -> None:
        self._clock = clock or FrozenClock()
        self._has_immediate_tiers = has_immediate_tiers
        self._stager = Stager(service, self._clock)
        self._transactions = MemoryTransactions(self._stager, self._on_commit)
        self.effects = MemoryEffects(self._transactions)
        self._elapsed = 0.0
        self._live_callbacks: list[Callable[[bool], None]] = []
        self.broker = broker or MemoryBroker()
        self.published: list[Event] = []
        self.live_is_connected = True

    # -- EventBus

    def transaction(self) -> AbstractAsyncContextManager[StagedTransaction]:
        """Open a transaction; its session is None."""
        return self._transactions.open()

    async def run_transaction(
        self, callback: Callable[[Transaction], Awaitable[R]]
    ) -> R:
        """Run a callback in a transaction, once."""
        async with self._transactions.open() as transaction:
            return await callback(transaction)

    async def publish_transient(self, event: Event) -> None:
        """Publish without an outbox."""
        self._on_commit([self._stager.row(event)])

    @asynccontextmanager
    async def run_worker(self, worker: Worker, app: object) -> AsyncIterator[None]:
        """Consume until the block is left; what is not settled stays queued."""
        queues: list[MemoryQueue] = []
        runners: list[Runner] = []
        live_names: list[str] = []
        for subscription in worker.subscriptions:
            queue = self.broker.declare(worker.service, subscription)
            runner = make_runner(
                subscription, queue.name, effects=self.effects, courier=self, app=app
            )
            queues.append(queue)
            runners.append(runner)
            queue.receive = runner.receive
        for live in worker.live_subscriptions:
            name = live_queue(worker.service, "memory", live.name)
            live_runner = LiveRunner(live, name, app)
            queue = self.broker.declare_live(name, live)
            queue.receive = live_runner.receive
            live_names.append(name)
            queues.append(queue)
            runners.append(live_runner)
        for queue in queues:
            queue.pump()
        try:
            yield
        finally:
            await asyncio.gather(*(runner.stop(_STOP_SECONDS) for runner in runners))
            for queue in queues:
                queue.detach()
            for name in live_names:
                self.broker.remove(name)

    # -- what the real bus has too

    def health(self) -> Mapping[str, Any]:
        """Return what a health page shows."""
        return {"is_healthy": True}

    async def check(self) -> None:
        """Do nothing: it is always healthy."""

    def on_live_change(self, callback: Callable[[bool], None]) -> None:
        """Call back when `set_live_connected` changes it."""
        self._live_callbacks.append(callback)

    # -- for tests

    def set_live_connected(self, *, is_connected: bool) -> None:
        """Act as if the live queues lost, or got back, their consumers."""
        self.live_is_connected = is_connected
        for callback in self._live_callbacks:
            callback(is_connected)

    def published_of(self, event_class: type[E]) -> list[E]:
        """Return the published events of one class, in order."""
        return [event for event in self.published if isinstance(event, event_class)]

    def dead_letters(self, service: str, subscription: str) -> list[Headers]:
        """Return the headers of a subscription's dead letters: reason, error."""
        name = dead_letter_queue(queue_name(service, subscription))
        return [message.headers for message in self.broker.queues[name].waiting]

    async def delivered(
        self,
        event_class: type[E],
        *,
        count: int = 1,
        within: timedelta = timedelta(seconds=2),
    ) -> list[E]:
        """Wait until so many events of a class were published and are settled.

        Raises:
            TimeoutError: They were not.
        """
        await _until(
            lambda: len(self.published_of(event_class)) >= count and self._is_quiet(),
            within,
        )
        return self.published_of(event_class)

    async def settled(self, *, within: timedelta = timedelta(seconds=10)) -> None:
        """Wait until nothing is queued or being handled, tiers that wait aside.

        Raises:
            TimeoutError: Something still is.
        """
        await _until(self._is_quiet, within)

    async def advance(self, by: timedelta) -> None:
        """Let time pass in the retry tiers, then wait until it is quiet."""
        self._elapsed += by.total_seconds()
        self.broker.expire(self._elapsed)
        await self.settled()

    async def publish(
        self, routing_key: str, body: bytes, *, event_type: str, headers: Headers
    ) -> None:
        """Move an event to one of the service's own queues (`Courier`)."""
        self.broker.publish_direct(
            routing_key, event_type, body, headers, self._elapsed
        )
        if self._has_immediate_tiers:
            self.broker.expire(float("inf"))

    def _is_quiet(self) -> bool:
        return not any(
            queue.outstanding or (queue.receive and queue.waiting)
            for queue in self.broker.queues.values()
        )

    def _on_commit(self, rows: Sequence[Row]) -> None:
        self.published.extend(decode_event(row.body).event for row in rows)
        queue = FrameQueue()
        queue.add(rows)
        while frame := queue.next_frame():
            body = encode_frame(row.body for row in frame.rows)
            self.broker.publish(frame.exchange, frame.type, body)
            queue.confirm(frame)


async def _until(condition: Callable[[], bool], within: timedelta) -> None:
    async with asyncio.timeout(within.total_seconds()):
        while not condition():  # noqa: ASYNC110 - many queues, no one event to wait for
            await asyncio.sleep(_POLL_SECONDS)
