"""Live subscriptions: events from now on, in arrival order, never failing."""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from itertools import compress
from typing import NoReturn

import structlog

from libs.events import metrics
from libs.events.bus import Context, LiveSubscription
from libs.events.consuming.context import make_context
from libs.events.consuming.outcome import error_text
from libs.events.consuming.ports import Delivery
from libs.events.envelope import (
    Received,
    Undecodable,
    decode_frame,
    read_heads,
)
from libs.events.errors import DecodeError
from libs.events.event import Event
from libs.events.tracing import caused_by
from libs.kernel import EventId

_TURN = 8
_log = structlog.get_logger(__name__)


class NoTransaction:
    """The transaction of a live event: there is none, so nothing is published."""

    session = None

    def publish(
        self,
        event: Event,  # noqa: ARG002 - the protocol's signature
        *,
        event_id: EventId | None = None,  # noqa: ARG002 - the protocol's signature
    ) -> NoReturn:
        """Refuse; a live handler publishes through the bus.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a live subscription has no transaction to publish in")


class LiveRunner:
    """Calls the handler of a live subscription, event by event, in one task."""

    def __init__(self, subscription: LiveSubscription, label: str, app: object) -> None:
        self._subscription = subscription
        self._label = label
        self._app = app
        self._frames: deque[Delivery] = deque()
        self._task: asyncio.Task[None] | None = None
        self._transaction = NoTransaction()

    def receive(self, delivery: Delivery) -> None:
        """Queue a frame; the prefetch bounds how many there can be."""
        self._frames.append(delivery)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self, within_seconds: float) -> None:
        """Handle what is here, then stop."""
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=within_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while self._frames:
                delivery = self._frames.popleft()
                await self._handle_frame(delivery.body)
                await delivery.ack()
        finally:
            self._task = None

    async def _handle_frame(self, body: bytes) -> None:
        wants = self._wants(body)
        metrics.of(metrics.received, self._label).inc(len(wants))
        if wants and not any(wants):
            return
        try:
            parts = decode_frame(body)
        except DecodeError as err:
            _log.error("event_undecodable", subscription=self._label, reason=err.reason)
            return
        if wants:
            parts = list(compress(parts, wants))
        else:
            metrics.of(metrics.received, self._label).inc(len(parts))
        await self._handle_parts(parts)

    def _wants(self, body: bytes) -> list[bool]:
        """Tell of each event whether it is wanted; nothing: all of them are."""
        wanted = self._subscription.wanted
        heads = None if wanted is None else read_heads(body)
        if wanted is None or heads is None:
            return []
        wants = [wanted(self._app, head) for head in heads]
        passed = compress(heads, [not is_wanted for is_wanted in wants])
        for event_type, count in Counter(head.type for head in passed).items():
            metrics.of(metrics.handled, self._label, event_type, "unwanted").inc(count)
        return wants

    async def _handle_parts(self, parts: Sequence[Received | Undecodable]) -> None:
        for number, part in enumerate(parts, start=1):
            if number % _TURN == 0:  # others wait for the loop while a frame is handled
                await asyncio.sleep(0)
            if isinstance(part, Undecodable):
                _log.error(
                    "event_undecodable",
                    subscription=self._label,
                    reason=part.error.reason,
                )
            else:
                await self._handle(part)

    async def _handle(self, received: Received) -> None:
        # The ids are bound for what is published; a log line of its own is written
        # for a failure alone, and names them.
        with caused_by(received.cause):
            try:
                await self._subscription.handler(
                    received.event, self._context(received)
                )
            except Exception as err:  # noqa: BLE001 - the consumer loop is an edge
                metrics.of(metrics.handled, self._label, received.type, "failed").inc()
                _log.error(
                    "live_event_failed",
                    subscription=self._label,
                    event_id=received.id,
                    event_type=received.type,
                    correlation_id=received.correlation_id,
                    error=error_text(err),
                )
            else:
                metrics.of(metrics.handled, self._label, received.type, "done").inc()

    def _context(self, received: Received) -> Context:
        return make_context(received, self._app, self._transaction, 1)
