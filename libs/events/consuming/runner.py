"""Runs the handler of a subscription, one event at a time per key."""

import asyncio
import time
from typing import Any, Protocol

import structlog

from libs.events import metrics
from libs.events.bus import Context, Subscription, Transaction
from libs.events.consuming.intake import Intake, Item
from libs.events.consuming.kill_switch import Gate
from libs.events.consuming.lanes import Lanes
from libs.events.consuming.outcome import Again, GiveUp, Later, error_text, judge
from libs.events.consuming.patience import Patience
from libs.events.consuming.ports import Courier, Delivery, Effects
from libs.events.envelope import Received
from libs.events.errors import CrashLoopError
from libs.events.retrying import jittered
from libs.events.tracing import consume_span, handling

_log = structlog.get_logger(__name__)

MAX_STARTS = 5
_SUSPECT_LANE = "\0"


class Runner(Protocol):
    """Takes deliveries of one subscription and settles each of them."""

    def receive(self, delivery: Delivery) -> None:
        """Take a delivery; returns at once."""
        ...

    async def stop(self, within_seconds: float) -> None:
        """Start no handler any more, let running ones finish, hand back the rest."""
        ...


class SingleRunner:
    """`Runner` for handlers of single events."""

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
        self._lanes: Lanes[Item] = Lanes(self._work, subscription.concurrency)
        self._waiting: dict[Item, None] = {}
        self._queue = queue

    def receive(self, delivery: Delivery) -> None:
        """Take a delivery apart and put its events on their lanes."""
        self._intake.open_frame(delivery, self._put)

    async def stop(self, within_seconds: float) -> None:
        """Drain; see `Runner.stop`.

        What is ordered is not handed back one by one, since the broker would deliver
        it again at once: it goes back together when the channel closes.
        """
        await self._lanes.stop(within_seconds)
        for item in list(self._waiting):
            if not self._subscription.is_ordered:
                await self._intake.drop(item)
        self._waiting.clear()
        await self._intake.stop()

    def _put(self, item: Item) -> None:
        """Queue an event; what may have killed a process runs alone."""
        self._waiting[item] = None
        key = _SUSPECT_LANE if item.is_suspect else item.received.key
        self._lanes.put(key, item)

    async def _work(self, item: Item) -> None:
        await self._gate.enter()
        self._waiting.pop(item, None)
        received = item.received
        with (
            consume_span(self._queue, received.type, received.id, received.traceparent),
            handling(
                received.id,
                received.type,
                received.correlation_id,
                received.traceparent,
            ),
        ):
            await self._handle(item)

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
            metrics.handler_seconds.labels(self._queue).observe(elapsed)
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
            context = make_context(received, self._app, transaction, attempt + tries)
            await self._subscription.handler(received.event, context)

        apply = (
            self._effects.apply
            if self._subscription.in_transaction
            else self._effects.apply_outside
        )
        try:
            async with asyncio.timeout(self._subscription.deadline.total_seconds()):
                await refuse_crash_loop(self._effects, self._subscription.name, item)
                is_new = await apply(self._subscription.name, received.id, work)
        except Exception as err:  # noqa: BLE001 - the consumer loop is an edge
            return err
        outcome = "done" if is_new else "duplicate"
        metrics.handled.labels(self._queue, received.type, outcome).inc()
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
        metrics.handled.labels(self._queue, received.type, outcome).inc()
        log = _log.error if isinstance(verdict, GiveUp) else _log.warning
        log(
            "event_failed",
            subscription=self._queue,
            outcome=outcome,
            tries=tries,
            error=error_text(error),
        )


async def refuse_crash_loop(effects: Effects, subscription: str, item: Item) -> None:
    """Count the start of an event whose frame came back several times.

    The broker's count also rises for frames that were only prefetched when a process
    died, so an event is judged by how often its own handler was started.

    Raises:
        CrashLoopError: Too often; it is not started again.
    """
    if item.is_suspect:
        starts = await effects.count_start(subscription, item.received.id)
        if starts > MAX_STARTS:
            raise CrashLoopError(starts)


def make_context(
    received: Received,
    app: Any,  # noqa: ANN401 - the service's own type
    transaction: Transaction,
    attempt: int,
) -> Context:
    """Build what a handler knows beside its event."""
    return Context(
        event_id=received.id,
        app=app,
        session=transaction.session,
        occurred_at=received.time,
        sequence=received.sequence,
        correlation_id=received.correlation_id,
        causation_id=received.causation_id,
        attempt=attempt,
        transaction=transaction,
    )
