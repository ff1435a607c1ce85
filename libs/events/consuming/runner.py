"""Runs the handler of a subscription, one event at a time per key."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Protocol, TypeAlias

import structlog

from libs.events import metrics
from libs.events.bus import Subscription, Transaction
from libs.events.consuming.arrivals import Arrivals
from libs.events.consuming.context import make_context, observe_lag, refuse_crash_loop
from libs.events.consuming.intake import Intake, Item
from libs.events.consuming.kill_switch import Gate
from libs.events.consuming.lanes import Lanes
from libs.events.consuming.outcome import Again, GiveUp, Later, error_text, judge
from libs.events.consuming.pace import Pace
from libs.events.consuming.patience import Patience
from libs.events.consuming.ports import Courier, Delivery, Effects
from libs.events.envelope import Received
from libs.events.frames import MAX_FRAME_EVENTS
from libs.events.retrying import jittered
from libs.events.tracing import consume_span, handling
from libs.kernel import EventId

_log = structlog.get_logger(__name__)

_SUSPECT_LANE = "\0"
_MOST_SHARED_SECONDS = 2.0  # longer, and the server may end the transaction

Part: TypeAlias = tuple[Item, ...]


class Runner(Protocol):
    """Takes deliveries of one subscription and settles each of them."""

    def receive(self, delivery: Delivery) -> None:
        """Take a delivery; returns at once."""
        ...

    async def stop(self, within_seconds: float) -> None:
        """Start no handler any more, let running ones finish, hand back the rest."""
        ...


class SingleRunner:
    """`Runner` for handlers of single events.

    The events of a frame, and of frames that arrive together or while others are
    handled (`Arrivals`), share one transaction, or a few where handlers are slow
    (`Pace`). If anything in it fails, it is as if it had not been, and each event of
    it is handled alone. Frames that came back share with no other one, and the events
    of one that came back often, or of handlers with effects elsewhere, never.
    """

    def __init__(
        self,
        subscription: Subscription,
        queue: str,
        *,
        effects: Effects,
        courier: Courier,
        app: object,
    ) -> None:
        self._subscription = subscription
        self._effects = effects
        self._app = app
        self._intake = Intake(queue, queue, courier)
        self._gate = Gate(subscription.kill_switch, queue)
        self._pace = Pace()
        self._lanes: Lanes[Part] = Lanes(self._work, subscription.concurrency)
        self._arrivals = Arrivals(self._lay_out)
        self._waiting: dict[Item, None] = {}
        self._queue = queue
        self._is_stopped = False
        deadline = subscription.deadline.total_seconds()
        self._share_seconds = min(deadline, _MOST_SHARED_SECONDS)

    def receive(self, delivery: Delivery) -> None:
        """Take a delivery apart and put its events on their lanes."""
        items: list[Item] = []
        self._intake.open_frame(delivery, items.append)
        self._waiting.update(dict.fromkeys(items))
        if items and items[0].frame.is_fresh and self._subscription.in_transaction:
            self._arrivals.put(items, may_wait=self._pace.is_fast)
        else:
            self._arrivals.release()
            self._lay_out([items])

    async def stop(self, within_seconds: float) -> None:
        """Drain; see `Runner.stop`."""
        self._is_stopped = True
        await self._lanes.stop(within_seconds)
        for item in list(self._waiting):
            await self._intake.drop(item)
        self._waiting.clear()
        await self._intake.stop()

    def _lay_out(self, frames: Sequence[Sequence[Item]]) -> None:
        """Put events on their lanes; frames share once it is known how handlers run."""
        if self._is_stopped:
            return
        if self._pace.is_known:
            frames = [list(chain.from_iterable(frames))]
        for items in frames:
            for part in self._cut(items):
                self._lanes.put(_keys_of(part), part)

    def _cut(self, items: Sequence[Item]) -> Iterable[Part]:
        """Cut what arrived into what may share a transaction, in order."""
        is_shared = self._subscription.in_transaction
        size = min(self._pace.size, MAX_FRAME_EVENTS) if is_shared else 1
        if any(item.is_suspect for item in items):
            size = 1
        return (tuple(items[n : n + size]) for n in range(0, len(items), size))

    async def _work(self, part: Part) -> None:
        if len(part) > 1 and self._gate.is_open:
            with self._arrivals.transaction():
                is_done = await self._share(part)
            if is_done:
                return
        for item in part:
            if not self._is_stopped:
                await self._gate.enter()
                self._waiting.pop(item, None)
                with self._handling(item):
                    await self._handle(item)

    async def _share(self, part: Part) -> bool:
        """Run a handler for each event in one transaction; False: nothing happened."""
        unique = {item.received.id: item for item in part}
        done: list[EventId] = []

        async def work(
            transaction: Transaction, fresh: frozenset[EventId]
        ) -> frozenset[EventId]:
            done[:] = [event_id for event_id in unique if event_id in fresh]
            for event_id in done:
                with self._handling(unique[event_id]):
                    await self._call(unique[event_id], transaction, 1)
            return frozenset()

        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._share_seconds):
                await self._effects.apply_batch(
                    self._subscription.name, list(unique), work
                )
        except Exception as err:  # noqa: BLE001 - the consumer loop is an edge
            if isinstance(err, TimeoutError):
                self._pace.note(time.perf_counter() - started, 1)
            _log.warning(
                "frame_taken_apart",
                subscription=self._queue,
                count=len(part),
                error=error_text(err),
            )
            return False
        await self._finish_part(part, frozenset(done), time.perf_counter() - started)
        return True

    async def _finish_part(
        self, part: Part, done: frozenset[EventId], elapsed: float
    ) -> None:
        metrics.of(metrics.handler_seconds, self._queue).observe(elapsed)
        outcomes: Counter[tuple[str, str]] = Counter()
        for item in part:
            self._waiting.pop(item, None)
            outcome = "done" if item.received.id in done else "duplicate"
            outcomes[item.received.type, outcome] += 1
        self._gate.record_success(len(part))
        for (event_type, outcome), count in outcomes.items():
            metrics.of(metrics.handled, self._queue, event_type, outcome).inc(count)
        await self._intake.succeed(*part)
        _log.info(
            "frame_handled",
            subscription=self._queue,
            count=len(part),
            done_count=len(done),
            seconds=round(elapsed, 4),
        )

    @contextmanager
    def _handling(self, item: Item) -> Iterator[None]:
        """Trace and name one event while its handler runs."""
        event = item.received
        with (
            consume_span(self._queue, event.type, event.id, event.traceparent),
            handling(event.id, event.type, event.correlation_id, event.traceparent),
        ):
            yield

    async def _call(self, item: Item, transaction: Transaction, attempt: int) -> None:
        observe_lag(self._queue, item.received)
        context = make_context(item.received, self._app, transaction, attempt)
        started = time.perf_counter()
        await self._subscription.handler(item.received.event, context)
        self._pace.note(time.perf_counter() - started, 1)

    async def _handle(self, item: Item) -> None:
        tries = 0
        patience = Patience()
        while True:
            tries += 1
            started = time.perf_counter()
            error = await self._try(item, tries)
            while await patience.waits_for(error):
                error = await self._try(item, tries)
            elapsed = time.perf_counter() - started
            metrics.of(metrics.handler_seconds, self._queue).observe(elapsed)
            if error is None:
                await self._intake.succeed(item)
                _log.info(
                    "event_handled",
                    subscription=self._queue,
                    attempt=item.frame.attempt,
                    tries=tries,
                    seconds=round(elapsed, 4),
                )
                return
            verdict = judge(
                error, self._subscription.retry, attempt=item.frame.attempt, tries=tries
            )
            self._report(item.received, error, verdict, tries)
            if not isinstance(verdict, Again):
                await self._intake.move(item, verdict, error, tries)
                return
            await asyncio.sleep(jittered(tries, first=0.1, most=0.8))

    async def _try(self, item: Item, tries: int) -> Exception | None:
        """Run the handler once; None is success, a duplicate included."""
        received = item.received
        attempt = (item.frame.attempt - 1) * (self._subscription.retry.immediate + 1)

        async def work(transaction: Transaction) -> None:
            await self._call(item, transaction, attempt + tries)

        apply = (
            self._effects.apply
            if self._subscription.in_transaction
            else self._effects.apply_outside
        )
        try:
            with self._arrivals.transaction():
                async with asyncio.timeout(self._subscription.deadline.total_seconds()):
                    if item.is_suspect:
                        await refuse_crash_loop(
                            self._effects, self._subscription.name, item
                        )
                    is_new = await apply(self._subscription.name, received.id, work)
        except Exception as err:  # noqa: BLE001 - the consumer loop is an edge
            return err
        outcome = "done" if is_new else "duplicate"
        metrics.of(metrics.handled, self._queue, received.type, outcome).inc()
        self._gate.record(is_failure=False)
        return None

    def _report(
        self,
        received: Received,
        error: Exception,
        verdict: Again | Later | GiveUp,
        tries: int,
    ) -> None:
        self._gate.record(is_failure=True)
        outcome = type(verdict).__name__.lower()
        metrics.of(metrics.handled, self._queue, received.type, outcome).inc()
        log = _log.error if isinstance(verdict, GiveUp) else _log.warning
        log(
            "event_failed",
            subscription=self._queue,
            outcome=outcome,
            tries=tries,
            error=error_text(error),
        )


def _keys_of(part: Part) -> set[str]:
    """Return the keys of a part's events; what may kill a process runs alone."""
    keys = {item.received.key for item in part}
    return keys | {_SUSPECT_LANE} if part[0].is_suspect else keys
