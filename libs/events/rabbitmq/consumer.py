"""Consumes one queue on a channel of its own, and begins again after any loss."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ChannelLockedResource

from libs.events import metrics
from libs.events.consuming.ports import Delivery, Headers
from libs.events.errors import BrokerAwayError
from libs.events.rabbitmq.channel import LeanChannel
from libs.events.rabbitmq.deliveries import RabbitDelivery
from libs.events.rabbitmq.link import AMQP_ERRORS, Link, is_cancelled

_log = structlog.get_logger(__name__)
_SETUP_SECONDS = 10.0

Declare = Callable[[LeanChannel], Awaitable[str]]


class Consumer:
    """Keeps a consumer on a queue while the connection is up.

    Args:
        label: For logs, metrics and health.
        declare: Makes what this process may make and returns the queue's name.
        receive: Called with each delivery, in order; must return at once.
        is_ordered: The queue has one active consumer: it is not cancelled before
            the channel closes, or the next one would start beside running handlers.
        on_change: Called with whether it consumes, at each change.
    """

    def __init__(
        self,
        link: Link,
        label: str,
        *,
        declare: Declare,
        receive: Callable[[Delivery], None],
        prefetch: int,
        delay: Callable[[], float],
        is_ordered: bool = False,
        on_change: Callable[[bool], None] | None = None,
    ) -> None:
        self._link = link
        self._declare = declare
        self._receive = receive
        self._prefetch = prefetch
        self._delay = delay
        self._is_ordered = is_ordered
        self._on_change = on_change
        self._channel: LeanChannel | None = None
        self._tag = ""
        self._since = time.monotonic()
        self.label = label
        self.is_consuming = False

    @property
    def seconds_without(self) -> float:
        """Seconds since it last had a consumer; 0 while it has one."""
        return 0.0 if self.is_consuming else time.monotonic() - self._since

    async def run(self) -> None:
        """Consume until cancelled."""
        while True:
            await self._link.wait_until_connected()
            try:
                lost = await self._start()
            except (*AMQP_ERRORS, BrokerAwayError, asyncio.CancelledError) as err:
                if is_cancelled():
                    raise
                _log.warning(
                    "subscription_not_started",
                    subscription=self.label,
                    error_type=type(err).__name__,
                    error=str(err)[:200],
                )
            else:
                await lost.wait()
                self._note(is_consuming=False)
                _log.warning("subscription_lost", subscription=self.label)
            await self._close()
            await asyncio.sleep(self._delay())

    async def cancel(self) -> None:
        """Ask the broker for no more deliveries; the channel stays for the acks."""
        channel, tag = self._channel, self._tag
        if channel is None or channel.is_closed or self._is_ordered:
            return
        try:
            async with asyncio.timeout(_SETUP_SECONDS):
                await channel.basic_cancel(tag)
        except AMQP_ERRORS:
            return

    async def close(self) -> None:
        """Close the channel: what is not settled goes back to the queue."""
        self._note(is_consuming=False)
        await self._close()

    async def _start(self) -> asyncio.Event:
        channel = await self._link.channel(prefetch=self._prefetch)
        self._channel = channel
        lost = asyncio.Event()
        channel.closing.add_done_callback(lambda _: lost.set())
        channel.on_consumer_cancel_callbacks.add(lambda _: lost.set())
        async with asyncio.timeout(_SETUP_SECONDS):
            queue = await self._declare(channel)
            channel.receive = partial(self._take, channel)
            answer = await channel.basic_consume(queue, _take_nothing)
        self._tag = answer.consumer_tag or ""
        self._note(is_consuming=True)
        return lost

    def _take(
        self, channel: LeanChannel, tag: int, body: bytes, headers: Headers
    ) -> None:
        """Hand a delivery on; one that cannot be stays with the channel, unsettled."""
        try:
            self._receive(RabbitDelivery(channel, tag, body, headers))
        except Exception as err:  # noqa: BLE001 - the consumer loop is an edge
            _log.error("delivery_not_taken", subscription=self.label, exc_info=err)

    async def _close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is None or channel.is_closed:
            return
        try:
            async with asyncio.timeout(_SETUP_SECONDS):
                await channel.close()
        except (*AMQP_ERRORS, asyncio.CancelledError):
            if is_cancelled():
                raise

    def _note(self, *, is_consuming: bool) -> None:
        if is_consuming == self.is_consuming:
            return
        self.is_consuming = is_consuming
        self._since = time.monotonic()
        metrics.of(metrics.has_consumer, self.label).set(int(is_consuming))
        if self._on_change is not None:
            self._on_change(is_consuming)


async def _take_nothing(_: DeliveredMessage) -> None:
    """Stand where the driver wants a callback: `LeanChannel.receive` is called."""


def durable_queue(name: str) -> Declare:
    """Use a queue that the administrator declared."""

    async def declare(_: LeanChannel) -> str:
        return name

    return declare


def live_queue_of(
    name: str, bindings: list[tuple[str, str]], max_length: int
) -> Declare:
    """Declare this process's exclusive queue and bind it.

    The broker may still hold the last connection's queue of this name, until it
    notices the loss; then a name with a number behind it is taken.
    """
    attempts = 0

    async def declare(channel: LeanChannel) -> str:
        nonlocal attempts
        queue = f"{name}-{attempts}" if attempts else name
        try:
            await channel.queue_declare(
                queue,
                exclusive=True,
                auto_delete=True,
                arguments={"x-max-length": max_length, "x-overflow": "drop-head"},
            )
        except ChannelLockedResource:
            attempts += 1
            raise
        for exchange, routing_key in bindings:
            await channel.queue_bind(queue, exchange, routing_key)
        return queue

    return declare
