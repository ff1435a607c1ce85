"""A consumer comes back whatever ends it, and ends when it is told to."""

import asyncio
from types import SimpleNamespace

import aio_pika
import pytest

from libs.events.errors import BrokerAwayError
from libs.events.rabbitmq.consumer import Consumer, durable_queue
from libs.events.rabbitmq.link import Link


class Channel:
    """A channel on which one queue is consumed."""

    is_closed = False

    def __init__(self):
        self.closing = asyncio.get_running_loop().create_future()
        self.on_consumer_cancel_callbacks = set()

    async def basic_consume(self, _queue, _callback):
        """Answer."""
        return SimpleNamespace(consumer_tag="c")

    async def close(self):
        """End."""
        self.is_closed = True


class Wire:
    """A link whose first channels fail."""

    def __init__(self, *errors):
        self.errors = list(errors)

    async def wait_until_connected(self):
        """Always."""

    async def channel(self, **_):
        """Open one, or fail."""
        if self.errors:
            raise self.errors.pop(0)
        return Channel()


@pytest.mark.parametrize(
    "error", [BrokerAwayError("away"), asyncio.CancelledError()], ids=repr
)
async def test_a_consumer_that_did_not_start_tries_again(error):
    """Also where the driver cancels what waited for a connection that hung."""
    consumer = Consumer(
        Wire(error),
        "reads",
        declare=durable_queue("q"),
        receive=print,
        prefetch=1,
        delay=lambda: 0.0,
    )
    task = asyncio.create_task(consumer.run())
    async with asyncio.timeout(10):
        while not consumer.is_consuming:  # noqa: ASYNC110 - a flag
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await consumer.close()


async def test_a_link_notices_a_connection_that_nobody_said_was_closed():
    """It closed before there was a callback: asking for a channel makes it connect."""
    link = Link(lambda: "", "test", lambda: 0.0)
    closed = SimpleNamespace(is_closed=True, channels={})
    link._connection = SimpleNamespace(transport=SimpleNamespace(connection=closed))
    link._up.set()
    link._down.clear()
    with pytest.raises(BrokerAwayError):
        await link.channel()
    assert link._down.is_set()


async def test_a_link_outlives_a_driver_that_cancels(monkeypatch):
    """It tries again; its own cancellation ends it."""
    tries = []

    async def connect(*_, **__):
        tries.append(1)
        raise asyncio.CancelledError

    monkeypatch.setattr(aio_pika, "connect", connect)
    task = asyncio.create_task(Link(lambda: "", "test", lambda: 0.0).run())
    async with asyncio.timeout(10):
        while len(tries) < 3:  # noqa: ASYNC110 - a count
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_se_1_a_link_outlives_an_account_that_cannot_be_read():
    """SE-1: whoever mistypes it writes it once more; nothing has to start again."""
    asked = []

    def mistyped():
        asked.append(True)
        return "amqp://chat:a#b@broker/parley"

    task = asyncio.create_task(Link(mistyped, "test", lambda: 0.0).run())
    async with asyncio.timeout(10):
        while len(asked) < 3 and not task.done():  # noqa: ASYNC110 - a count
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_se_1_a_link_asks_for_its_account_whenever_it_connects(monkeypatch):
    """SE-1: the account may be another one by then."""
    accounts = iter(["amqp://a", "amqp://b", "amqp://c"])
    used = []

    async def connect(url, **_):
        used.append(url)
        raise ConnectionError

    monkeypatch.setattr(aio_pika, "connect", connect)
    task = asyncio.create_task(Link(lambda: next(accounts), "test", lambda: 0.0).run())
    async with asyncio.timeout(10):
        while len(used) < 3:  # noqa: ASYNC110 - a count
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises((asyncio.CancelledError, RuntimeError)):
        await task
    assert used == ["amqp://a", "amqp://b", "amqp://c"]
