"""Frames coming in: decoded, taken apart into events, settled when all are done."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from libs.events import metrics
from libs.events.consuming.outcome import GiveUp, Later, error_text
from libs.events.consuming.ports import Courier, Delivery
from libs.events.envelope import (
    Received,
    Undecodable,
    decode_frame,
    encode_frame,
)
from libs.events.errors import BrokerAwayError, DecodeError, PublishRefusedError
from libs.events.names import dead_letter_queue, retry_queue
from libs.events.tracing import parse_traceparent

_log = structlog.get_logger(__name__)
_SUSPECT_AFTER_DELIVERIES = 2
_HOST = socket.gethostname()


class FrameInHand:
    """A delivery and how many of its events are still under way."""

    def __init__(self, delivery: Delivery, count: int) -> None:
        headers = delivery.headers
        self.delivery = delivery
        self.attempt = _attempt_of(headers.get("x-attempt", 1))
        self.is_replayed = "x-replayed" in headers
        self.first_failure = str(headers.get("x-first-failure", ""))
        self.is_suspect = delivery.delivery_count > _SUSPECT_AFTER_DELIVERIES
        self._left = count
        self._is_failed = False

    @property
    def is_fresh(self) -> bool:
        """Whether nobody has seen its events before, as far as the broker knows."""
        return (
            self.attempt == 1
            and self.delivery.delivery_count == 0
            and not self.is_replayed
        )

    def count_done(self, count: int) -> bool:
        """Count events as done; True: it was the last one, `close` the frame."""
        self._left -= count
        return not self._left

    async def settle(self, *, is_safe: bool) -> None:
        """Count one event as done, or as neither done nor kept elsewhere.

        The last one acknowledges the frame, or hands it back if any was not safe:
        the inbox skips what is done.
        """
        self._is_failed = self._is_failed or not is_safe
        if self.count_done(1):
            await self.close()

    async def close(self) -> None:
        """Acknowledge the frame, or hand it back; nothing of it is under way."""
        if self._is_failed:
            await self.delivery.hand_back()
        else:
            await self.delivery.ack()


class Item(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One event on its way to a handler."""

    received: Received
    frame: FrameInHand

    @property
    def is_suspect(self) -> bool:
        """Whether its frame came back so often that it may kill processes."""
        return self.frame.is_suspect


class Intake:
    """Takes frames of one queue apart and moves what failed.

    Args:
        subscription: Name for metrics and logs.
        queue: Name of the queue; tiers and dead letters follow from it.
        courier: Publishes to the service's direct exchange.
    """

    def __init__(self, subscription: str, queue: str, courier: Courier) -> None:
        self._subscription = subscription
        self._queue = queue
        self._courier = courier
        self._tasks: set[asyncio.Task[None]] = set()
        self.in_hand = 0

    def open_frame(self, delivery: Delivery, put: Callable[[Item], None]) -> None:
        """Decode a frame and put its good events; what is bad is dead-lettered."""
        try:
            parts = decode_frame(delivery.body)
        except DecodeError as err:
            frame = FrameInHand(delivery, 1)
            self._count(1)
            self._spawn(self._bury_undecodable(frame, delivery.body, err))
            return
        frame = FrameInHand(delivery, len(parts))
        self._count(len(parts))
        for part in parts:
            if isinstance(part, Undecodable):
                body = encode_frame([part.raw])
                self._spawn(self._bury_undecodable(frame, body, part.error))
            else:
                put(Item(part, frame))

    async def succeed(self, *items: Item) -> None:
        """Settle events that are done."""
        self._uncount(len(items))
        for frame, count in Counter([item.frame for item in items]).items():
            if frame.count_done(count):
                await frame.close()

    async def move(
        self,
        item: Item,
        verdict: Later | GiveUp,
        error: Exception,
        tries: int,
        *,
        before_settling: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Send a failed event to its tier or to the dead letters, then settle it."""
        is_safe = await self._send_on(item, verdict, error, tries)
        if is_safe and before_settling is not None:
            is_safe = await _is_done(before_settling)
        self._uncount()
        await item.frame.settle(is_safe=is_safe)

    async def drop(self, item: Item) -> None:
        """Hand back an event that was never started."""
        self._uncount()
        await item.frame.settle(is_safe=False)

    async def stop(self) -> None:
        """Wait for dead letters that are being written."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _count(self, count: int) -> None:
        self.in_hand += count
        metrics.of(metrics.received, self._subscription).inc(count)
        metrics.of(metrics.in_flight, self._subscription).inc(count)

    def _uncount(self, count: int = 1) -> None:
        self.in_hand -= count
        metrics.of(metrics.in_flight, self._subscription).dec(count)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_on(
        self, item: Item, verdict: Later | GiveUp, error: Exception, tries: int
    ) -> bool:
        received, frame = item.received, item.frame
        headers: dict[str, str | int] = {
            "x-attempt": frame.attempt,
            "x-count": 1,
            "x-first-failure": frame.first_failure or _now(),
        }
        if isinstance(verdict, Later):
            metrics.of(metrics.retried, self._subscription, verdict.tier).inc()
            headers["x-attempt"] = frame.attempt + 1
            target = retry_queue(self._queue, verdict.tier)
        else:
            target = dead_letter_queue(self._queue)
            span = parse_traceparent(received.traceparent)
            headers |= self._obituary(error, verdict.reason, frame.attempt, tries)
            headers["x-trace-id"] = f"{span.trace_id:032x}" if span else ""
        return await self._publish(
            target, encode_frame([received.raw]), received.type, headers
        )

    async def _bury_undecodable(
        self, frame: FrameInHand, body: bytes, error: DecodeError
    ) -> None:
        _log.error(
            "event_undecodable", subscription=self._subscription, reason=error.reason
        )
        headers = self._obituary(error, error.reason, frame.attempt, 0)
        headers |= {"x-attempt": frame.attempt, "x-first-failure": _now()}
        target = dead_letter_queue(self._queue)
        is_safe = await self._publish(target, body, "", headers)
        self._uncount()
        await frame.settle(is_safe=is_safe)

    def _obituary(
        self, error: Exception, reason: str, attempt: int, tries: int
    ) -> dict[str, str | int]:
        metrics.of(metrics.dead_lettered, self._subscription, reason).inc()
        return {
            "x-reason": reason,
            "x-error-type": type(error).__name__,
            "x-error-text": error_text(error),
            "x-attempts": attempt,
            "x-tries": tries,
            "x-queue": self._queue,
            "x-host": _HOST,
            "x-died-at": _now(),
        }

    async def _publish(
        self, target: str, body: bytes, event_type: str, headers: dict[str, str | int]
    ) -> bool:
        try:
            await self._courier.publish(
                target, body, event_type=event_type, headers=headers
            )
        except (BrokerAwayError, PublishRefusedError) as err:
            _log.error("event_not_moved", queue=target, error_type=type(err).__name__)
            return False
        return True


def _attempt_of(header: object) -> int:
    """Return a delivery's attempt; what another sender wrote there counts as none."""
    return header if isinstance(header, int) and header > 0 else 1


async def _is_done(work: Callable[[], Awaitable[None]]) -> bool:
    try:
        await work()
    except Exception as err:  # noqa: BLE001 - the consumer loop is an edge
        _log.warning("event_not_settled", error=error_text(err))
        return False
    return True


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
