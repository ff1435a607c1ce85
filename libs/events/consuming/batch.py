"""Runs a batch handler: what queued up while the last batch ran is the next one."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import structlog

from libs.events import metrics
from libs.events.bus import BatchItem, Subscription, Transaction
from libs.events.consuming.context import make_context, observe_lag, refuse_crash_loop
from libs.events.consuming.intake import Intake, Item
from libs.events.consuming.kill_switch import Gate
from libs.events.consuming.outcome import Again, error_text, judge
from libs.events.consuming.patience import Patience
from libs.events.consuming.ports import Courier, Delivery, Effects
from libs.events.retrying import jittered
from libs.events.staging import CausedTransaction
from libs.kernel import EventId

_log = structlog.get_logger(__name__)


class EventBatch:
    """`libs.events.bus.Batch`: the events of one transaction."""

    def __init__(self, items: Sequence[BatchItem[Any]], session: Any) -> None:  # noqa: ANN401 - pymongo's AsyncClientSession
        self.items = items
        self.session = session
        self.failures: dict[EventId, Exception] = {}

    def fail(self, item: BatchItem[Any], error: Exception) -> None:
        """Mark one event as failed; see `libs.events.bus.Batch.fail`."""
        self.failures[item.context.event_id] = error


class BatchRunner:
    """`Runner` for batch handlers: one batch under way, so keys keep their order."""

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
        self._queue = queue
        self._effects = effects
        self._app = app
        self._intake = Intake(queue, queue, courier)
        self._gate = Gate(subscription.kill_switch, queue)
        self._waiting: deque[Item] = deque()
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False

    def receive(self, delivery: Delivery) -> None:
        """Take a delivery apart and queue its events."""
        self._intake.open_frame(delivery, self._waiting.append)
        if self._waiting and self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self, within_seconds: float) -> None:
        """Drain; see `Runner.stop`."""
        self._is_stopped = True
        if self._task is not None:
            with suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._task, within_seconds)
        while self._waiting:
            await self._intake.drop(self._waiting.popleft())
        await self._intake.stop()

    async def _run(self) -> None:
        try:
            while self._waiting and not self._is_stopped:
                await self._gate.enter()
                size = min(len(self._waiting), self._subscription.max_batch)
                await self._handle([self._waiting.popleft() for _ in range(size)])
        finally:
            self._task = None

    async def _handle(self, items: list[Item]) -> None:
        unique = {item.received.id: item for item in items}
        if any(frame.is_suspect for frame in {item.frame for item in items}):
            await self._handle_each(unique.values())
        else:
            await self._handle_together(list(unique.values()))
        if len(unique) < len(items):
            copies = [item for item in items if unique[item.received.id] is not item]
            await self._intake.succeed(*copies)

    async def _handle_together(self, items: Sequence[Item]) -> None:
        started = time.perf_counter()
        failures = await self._try_patiently(items, 1)
        if isinstance(failures, Exception):
            _log.warning(
                "batch_failed",
                subscription=self._queue,
                count=len(items),
                error=error_text(failures),
            )
            await self._handle_each(items)
            return
        if failures:
            for item in items:
                await self._finish(item, failures.get(item.received.id))
        else:
            await self._finish_all(items)
        _log.info(
            "batch_handled",
            subscription=self._queue,
            count=len(items),
            failed_count=len(failures),
            seconds=round(time.perf_counter() - started, 4),
            trace_ids=_trace_ids(items),
        )

    async def _handle_each(self, items: Iterable[Item]) -> None:
        for item in items:
            await self._handle_alone(item)

    async def _handle_alone(self, item: Item) -> None:
        """Try one event with its immediate retries, as a batch of one."""
        tries = 0
        while True:
            tries += 1
            result = await self._try_patiently([item], tries)
            error = (
                result
                if isinstance(result, Exception)
                else result.get(item.received.id)
            )
            if error is None:
                await self._finish(item, None)
                return
            verdict = self._judge(item, error, tries)
            if not isinstance(verdict, Again):
                await self._finish(item, error)
                return
            await asyncio.sleep(jittered(tries, first=0.1, most=0.8))

    async def _finish_all(self, items: Sequence[Item]) -> None:
        """Settle a batch in which nothing failed."""
        await self._intake.succeed(*items)
        for event_type, count in Counter(
            [item.received.type for item in items]
        ).items():
            metrics.of(metrics.handled, self._queue, event_type, "done").inc(count)
        self._gate.record_success(len(items))

    async def _finish(self, item: Item, error: Exception | None) -> None:
        outcome = "done"
        if error is None:
            await self._intake.succeed(item)
        else:
            tries = self._subscription.retry.immediate + 1
            verdict = self._judge(item, error, tries)
            assert not isinstance(verdict, Again)  # noqa: S101 - the tries are used up
            outcome = type(verdict).__name__.lower()
            _log.warning(
                "event_failed",
                subscription=self._queue,
                event_id=item.received.id,
                event_type=item.received.type,
                outcome=outcome,
                error=error_text(error),
            )
            await self._intake.move(item, verdict, error, tries)
        self._gate.record(is_failure=error is not None)
        metrics.of(metrics.handled, self._queue, item.received.type, outcome).inc()

    def _judge(self, item: Item, error: Exception, tries: int) -> Any:  # noqa: ANN401 - Verdict
        return judge(
            error, self._subscription.retry, attempt=item.frame.attempt, tries=tries
        )

    async def _try_patiently(
        self, items: Sequence[Item], tries: int
    ) -> dict[EventId, Exception] | Exception:
        patience = Patience()
        while True:
            result = await self._try(items, tries)
            error = result if isinstance(result, Exception) else None
            if not await patience.waits_for(error):
                return result

    async def _try(
        self, items: Sequence[Item], tries: int
    ) -> dict[EventId, Exception] | Exception:
        """Run the handler over items; returns what failed, or why all did."""
        failures: dict[EventId, Exception] = {}

        async def work(
            transaction: Transaction, fresh: frozenset[EventId]
        ) -> frozenset[EventId]:
            wanted = [item for item in items if item.received.id in fresh]
            batch = self._batch(wanted, transaction, tries)
            await self._subscription.handler(batch)
            failures.clear()
            failures.update(batch.failures)
            return frozenset(failures)

        ids = [item.received.id for item in items]
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._subscription.deadline.total_seconds()):
                for item in items:
                    if item.is_suspect:
                        await refuse_crash_loop(
                            self._effects, self._subscription.name, item
                        )
                await self._effects.apply_batch(self._subscription.name, ids, work)
        except Exception as err:  # noqa: BLE001 - the consumer loop is an edge
            return err
        finally:
            elapsed = time.perf_counter() - started
            metrics.of(metrics.handler_seconds, self._queue).observe(elapsed)
        return failures

    def _batch(
        self, items: Sequence[Item], transaction: Transaction, tries: int
    ) -> EventBatch:
        per_delivery = self._subscription.retry.immediate + 1
        contexts = [
            make_context(
                item.received,
                self._app,
                CausedTransaction(transaction, item.received),
                (item.frame.attempt - 1) * per_delivery + tries,
            )
            for item in items
        ]
        if items:
            observe_lag(self._queue, items[0].received)
        return EventBatch(
            [
                BatchItem(item.received.event, context)
                for item, context in zip(items, contexts, strict=True)
            ],
            transaction.session,
        )


def _trace_ids(items: Iterable[Item]) -> list[str]:
    """Return the traces of a batch: one line stands for all of its events."""
    parents = (item.received.traceparent for item in items)
    return sorted({parent[3:35] for parent in parents if parent})
