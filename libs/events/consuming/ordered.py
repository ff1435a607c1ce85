"""Runs an ordered subscription: the events of a key by their numbers, without gaps."""

import asyncio
import time
from contextlib import suppress

import structlog

from libs.events import metrics
from libs.events.bus import Retry, Subscription, Transaction
from libs.events.consuming.context import make_context, observe_lag, refuse_crash_loop
from libs.events.consuming.intake import Intake, Item
from libs.events.consuming.kill_switch import Gate
from libs.events.consuming.outcome import GiveUp, error_text, judge, pause_asked_for
from libs.events.consuming.patience import Patience
from libs.events.consuming.places import FAILURE, GAP, RELEASED, Place
from libs.events.consuming.ports import Courier, Delivery, Effects
from libs.events.envelope import Received, decode_event
from libs.events.errors import OutOfOrderError
from libs.events.retrying import jittered
from libs.events.tracing import consume_span, handling

_log = structlog.get_logger(__name__)
_LOOK_SECONDS = 2.0
_MOST_PAUSE_SECONDS = 30.0

Result = Place | Exception


class _Lane:
    """Events of one key that wait, by number."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.came = asyncio.Event()
        self.gap_since: float | None = None

    def put(self, item: Item) -> None:
        """Put an event before those with a larger number."""
        self.items.append(item)
        self.items.sort(key=lambda other: other.received.sequence or 0)
        self.came.set()

    async def wait(self, seconds: float) -> None:
        """Wait for another event of the key, or so long."""
        self.came.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self.came.wait()


class OrderedRunner:
    """`Runner` for ordered subscriptions; one consumer has the queue at a time."""

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
        self._name = subscription.name
        self._effects = effects
        self._book = effects.order_book
        self._app = app
        self._queue = queue
        self._intake = Intake(queue, queue, courier)
        self._gate = Gate(subscription.kill_switch, queue)
        self._slots = asyncio.Semaphore(subscription.concurrency)
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._is_stopped = False

    def start(self) -> None:
        """Look after keys that an operator releases, until stopped."""
        self._looking = asyncio.create_task(self._look())

    def receive(self, delivery: Delivery) -> None:
        """Take a delivery apart and put its events on the lanes of their keys."""
        self._intake.open_frame(delivery, self._put)

    async def stop(self, within_seconds: float) -> None:
        """Let running handlers finish; the rest goes back when the channel closes."""
        self._is_stopped = True
        for lane in self._lanes.values():
            lane.came.set()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._intake.stop()

    def _put(self, item: Item) -> None:
        key = item.received.key
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane()
            task = asyncio.create_task(self._run(key, lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        lane.put(item)

    async def _run(self, key: str, lane: _Lane) -> None:
        while lane.items and not self._is_stopped:
            await self._gate.enter()
            item = lane.items[0]
            async with self._slots:
                if self._is_stopped:
                    break
                result, tries = await self._handle(
                    item.received, item, is_late=item.frame.is_replayed
                )
            self._gate.record(is_failure=isinstance(result, Exception))
            if result is Place.GAP and await self._hold(lane):
                continue
            lane.items.remove(item)
            await self._settle(item, result, tries)
        del self._lanes[key]

    async def _hold(self, lane: _Lane) -> bool:
        """Wait for the missing number; False when it has been missing too long."""
        now = time.monotonic()
        if lane.gap_since is None:
            lane.gap_since = now
            metrics.of(metrics.ordered_gaps, self._queue).inc()
        left = lane.gap_since + self._subscription.gap_hold.total_seconds() - now
        if left <= 0:
            return False
        await lane.wait(left)
        return True

    async def _settle(self, item: Item, result: Result, tries: int) -> None:
        """Acknowledge, park or bury what is not to be tried again."""
        event = item.received
        if isinstance(result, Exception):
            await self._give_up(item, result, tries)
            return
        lane = self._lanes[event.key]
        if result is Place.STALE:
            error = OutOfOrderError(event.sequence)
            await self._intake.move(item, GiveUp("out_of_order"), error, 0)
        elif result is Place.GAP:
            await self._park(item, GAP)
        elif result is Place.BLOCKED:
            await self._park(item, "")
        else:
            lane.gap_since = None
            outcome = "duplicate" if result is Place.DUPLICATE else "done"
            metrics.of(metrics.handled, self._queue, event.type, outcome).inc()
            if result is Place.FILLED:
                await self._catch_up_safely(event.key)
            await self._intake.succeed(item)

    async def _give_up(self, item: Item, error: Exception, tries: int) -> None:
        _log.error(
            "event_failed",
            subscription=self._queue,
            event_id=item.received.id,
            event_type=item.received.type,
            outcome=self._subscription.on_failure,
            tries=tries,
            error=error_text(error),
        )
        if self._subscription.on_failure == "block_key":
            await self._park(item, FAILURE)
            return
        verdict = judge(error, Retry(0, ()), attempt=1, tries=tries)
        assert isinstance(verdict, GiveUp)  # noqa: S101 - there are no tiers
        await self._intake.move(
            item,
            verdict,
            error,
            tries,
            before_settling=lambda: self._book.pass_over(self._name, item.received),
        )

    async def _park(self, item: Item, reason: str) -> None:
        """Keep an event in the database; without that it goes back to the queue."""
        try:
            await self._book.park(self._name, item.received, reason)
        except Exception as err:  # noqa: BLE001 - the consumer loop is an edge
            _log.warning("event_not_parked", error=error_text(err))
            await asyncio.sleep(jittered(1, first=1.0, most=1.0))
            await self._intake.drop(item)
            return
        metrics.of(metrics.ordered_parked, self._queue, reason or "behind").inc()
        if reason:
            _log.error(
                "key_parked",
                subscription=self._queue,
                reason=reason,
                event_id=item.received.id,
                sequence=item.received.sequence,
            )
        await self._intake.succeed(item)

    async def _handle(
        self, event: Received, item: Item | None, *, is_late: bool
    ) -> tuple[Result, int]:
        """Try an event until it is done, or not to be tried any more."""
        tries = 0
        patience = Patience()
        while True:
            tries += 1
            result = await self._try(event, item, tries, is_late=is_late)
            while isinstance(result, Exception) and await patience.waits_for(result):
                result = await self._try(event, item, tries, is_late=is_late)
            if not isinstance(result, Exception):
                return result, tries
            verdict = judge(result, Retry(0, ()), attempt=1, tries=tries)
            is_final = isinstance(verdict, GiveUp) and verdict.is_certain
            if is_final or tries > self._subscription.retry.immediate:
                return result, tries
            asked = pause_asked_for(result) or jittered(tries, first=0.1, most=5.0)
            await asyncio.sleep(min(asked, _MOST_PAUSE_SECONDS))

    async def _try(
        self, event: Received, item: Item | None, tries: int, *, is_late: bool
    ) -> Result:
        async def work(transaction: Transaction) -> None:
            observe_lag(self._queue, event)
            context = make_context(event, self._app, transaction, tries)
            await self._subscription.handler(event.event, context)

        started = time.perf_counter()
        try:
            with (
                consume_span(self._queue, event.type, event.id, event.traceparent),
                handling(event.id, event.type, event.correlation_id, event.traceparent),
            ):
                async with asyncio.timeout(self._subscription.deadline.total_seconds()):
                    if item is not None and item.is_suspect:
                        await refuse_crash_loop(self._effects, self._name, item)
                    return await self._book.apply(
                        self._name, event, work, is_late=is_late
                    )
        except Exception as err:  # noqa: BLE001 - the consumer loop is an edge
            return err
        finally:
            elapsed = time.perf_counter() - started
            metrics.of(metrics.handler_seconds, self._queue).observe(elapsed)

    async def _catch_up_safely(self, key: str) -> None:
        try:
            await self._catch_up(key)
        except Exception as err:  # noqa: BLE001 - the consumer loop is an edge
            _log.warning("keys_not_looked_at", error=error_text(err))

    async def _catch_up(self, key: str) -> None:
        """Handle what is parked behind a number that has come; else it stays."""
        while raw := await self._book.first_parked(self._name, key):
            event = decode_event(raw)
            result, _ = await self._handle(event, None, is_late=True)
            if isinstance(result, Exception):
                await self._book.park(self._name, event, FAILURE)
                _log.error(
                    "key_parked", subscription=self._queue, error=error_text(result)
                )
                return
            if result is Place.GAP:
                await self._book.park(self._name, event, GAP)
                return
        await self._book.unblock(self._name, key)
        _log.info("key_resumed", subscription=self._queue)

    async def _look(self) -> None:
        """Count blocked keys and catch up with those that were released."""
        while True:
            try:
                await self._look_once()
            except Exception as err:  # noqa: BLE001 - the consumer loop is an edge
                _log.warning("keys_not_looked_at", error=error_text(err))
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look_once(self) -> None:
        blocked = await self._book.blocked(self._name)
        metrics.of(metrics.ordered_blocked, self._queue).set(len(blocked))
        for key in [key for key, why in blocked.items() if why == RELEASED]:
            await self._catch_up_safely(key)
