"""One AMQP connection that comes back, and channels that belong to it."""

import asyncio
from collections.abc import Callable

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from libs.events.errors import BrokerAwayError
from libs.events.rabbitmq.channel import LeanChannel, open_channel

_log = structlog.get_logger(__name__)
_CONNECT_SECONDS = 5.0
_CLOSE_SECONDS = 3.0
_HEARTBEAT_SECONDS = 10
_LOG_EVERY = 30  # tries: one line for about half a minute

AMQP_ERRORS = (*CONNECTION_EXCEPTIONS, TimeoutError)
"""Whatever the driver raises when broker, connection or channel do not answer."""


def is_cancelled() -> bool:
    """Whether this task is cancelled.

    Else a `CancelledError` is the driver's: it ended what waited for a dead connection.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class _Connection(aio_pika.Connection):
    """Closes itself if it does not open.

    The driver leaves that to the garbage collector, which may come when there is no
    loop to close it on.
    """

    async def connect(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the driver's signature
        try:
            await super().connect(timeout)
        except BaseException:
            await self.close()
            raise


class Link:
    """Keeps a connection open: after a loss it is back within the reconnect delay.

    The driver's own robust connection is not used: it restores channels by itself
    and in an order of its own, where we must know what is consumed at any moment.

    Args:
        url: Account and virtual host.
        name: Shown in the broker's management.
        delay: Seconds before the next try, from the caller's jitter.
    """

    def __init__(
        self, url: Callable[[], str], name: str, delay: Callable[[], float]
    ) -> None:
        self._url = url
        self._name = name
        self._delay = delay
        self._connection: AbstractConnection | None = None
        self._up = asyncio.Event()
        self._failures = 0
        self._down = asyncio.Event()
        self._down.set()

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open, as far as this side knows."""
        return self._up.is_set()

    async def wait_until_connected(self) -> None:
        """Return once the connection is open."""
        await self._up.wait()

    async def run(self) -> None:
        """Connect, and again after each loss, until cancelled."""
        try:
            while True:
                if await self._connect():
                    await self._down.wait()
                    self._up.clear()
                    _log.warning("broker_disconnected", connection=self._name)
                await asyncio.sleep(self._delay())
        finally:
            self._up.clear()
            await self._close()

    async def channel(
        self, *, prefetch: int = 0, has_confirms: bool = False
    ) -> LeanChannel:
        """Open a channel.

        Args:
            prefetch: Deliveries that may be outstanding; 0 is for publishers.
            has_confirms: Confirms, and returned messages raise.

        Raises:
            BrokerAwayError: Not connected, or lost on the way.
        """
        connection = self._connection
        transport = connection.transport if connection else None
        if not self._up.is_set() or transport is None:
            raise BrokerAwayError("not connected")
        if transport.connection.is_closed:
            self._down.set()  # nobody told: it closed before there was a callback
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                channel = await open_channel(
                    transport.connection, has_confirms=has_confirms
                )
                if prefetch:
                    await channel.basic_qos(prefetch_count=prefetch)
        except AMQP_ERRORS as err:
            raise BrokerAwayError(type(err).__name__) from err
        return channel

    async def _connect(self) -> bool:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                connection = await aio_pika.connect(
                    self._url(),
                    client_properties={"connection_name": self._name},
                    heartbeat=_HEARTBEAT_SECONDS,
                    connection_class=_Connection,
                )
        except (*AMQP_ERRORS, ValueError, asyncio.CancelledError) as err:
            # ValueError: the account cannot be read. What it says next time may be.
            if is_cancelled():
                raise
            if self._failures % _LOG_EVERY == 0:
                _log.warning(
                    "broker_unreachable",
                    connection=self._name,
                    failures=self._failures + 1,
                    error_type=type(err).__name__,
                )
            self._failures += 1
            return False
        self._failures = 0
        self._down.clear()
        connection.close_callbacks.add(self._on_close)
        self._connection = connection
        self._up.set()
        _log.info("broker_connected", connection=self._name)
        return True

    def _on_close(
        self, connection: AbstractConnection | None, _: BaseException | None
    ) -> None:
        if connection is None or connection is self._connection:
            self._down.set()

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await connection.close()
            except AMQP_ERRORS:
                return
