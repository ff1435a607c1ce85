"""The relay's promises with a publisher and an outbox that do as they are told."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from aiormq.exceptions import ChannelPreconditionFailed, DeliveryError
from msgspec.structs import replace
from pymongo.errors import AutoReconnect

from libs.events import BusSettings
from libs.events.errors import BrokerAwayError, PublishRefusedError
from libs.events.frames import Row
from libs.events.outbox import Relay
from libs.events.outbox import relay as relay_module
from libs.events.rabbitmq.publisher import Publisher

SETTINGS = BusSettings("chat", "chat-1", "", confirm_window=2)


def row(number, key=None):
    """Make a row."""
    return Row(f"id-{number}", "a.b", "a.events", key or f"k{number}", number, b"{}")


class Broker:
    """Takes frames, and answers when told to."""

    def __init__(self):
        self.frames = []
        self.errors = []
        self.may_confirm = asyncio.Event()
        self.may_confirm.set()
        self.in_flight = 0
        self.most = 0

    async def wait_until_connected(self):
        """Always."""

    async def publish_frame(self, frame):
        """Keep it, and wait for the test's word."""
        self.frames.append([one.id for one in frame.rows])
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await self.may_confirm.wait()
        finally:
            self.in_flight -= 1
        if self.errors:
            raise self.errors.pop(0)


class Outbox:
    """Remembers what was deleted and refused."""

    relay_id = "relay"

    def __init__(self):
        self.deleted = []
        self.statements = 0
        self.errors = []

    async def delete(self, ids):
        """Delete, or fail."""
        if self.errors:
            raise self.errors.pop(0)
        self.deleted += ids
        self.statements += 1

    async def refuse(self, rows, error, *, park_after):
        """Park at once, or fail."""
        if self.errors:
            raise self.errors.pop(0)
        return [one.id for one in rows]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    """Let time not matter."""
    monkeypatch.setattr(relay_module, "_PAUSE_SECONDS", 0.001)


@asynccontextmanager
async def running(broker, outbox, settings=SETTINGS):
    """Run a relay."""
    relay = Relay(outbox, broker, settings)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition):
    """Wait until something holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.001)


async def test_nothing_is_deleted_without_a_confirm():
    """Rows stay in the outbox and in memory until the broker has spoken."""
    broker, outbox = Broker(), Outbox()
    broker.may_confirm.clear()
    async with running(broker, outbox) as relay:
        relay.enqueue([row(1)])
        await until(lambda: broker.frames)
        await asyncio.sleep(0.01)
        assert outbox.deleted == []
        assert relay.knows("id-1")
        broker.may_confirm.set()
        await until(lambda: outbox.deleted == ["id-1"])
        await relay.drain()
        assert not relay.knows("id-1")


async def test_the_window_is_kept():
    """So many frames await their confirm, no more, and a key is in one of them."""
    broker, outbox = Broker(), Outbox()
    broker.may_confirm.clear()
    async with running(broker, outbox) as relay:
        for number in range(6):
            relay.enqueue([replace(row(number), type=f"a.t{number}")])
        relay.enqueue([row(7, "k0")])
        await until(lambda: broker.in_flight == 2)
        await asyncio.sleep(0.01)
        broker.may_confirm.set()
        await until(lambda: len(outbox.deleted) == 7)
    assert broker.most == 2


@pytest.mark.parametrize("error", [BrokerAwayError("timeout"), RuntimeError("odd")])
async def test_what_was_not_confirmed_is_sent_again(error):
    """A timeout, a nack, and what nobody thought of."""
    broker, outbox = Broker(), Outbox()
    broker.errors = [error]
    async with running(broker, outbox) as relay:
        relay.enqueue([row(1)])
        await until(lambda: outbox.deleted == ["id-1"])
    assert broker.frames == [["id-1"], ["id-1"]]


async def test_a_refusal_that_cannot_be_noted_is_looked_up_later():
    """The database was away: the outbox is read again, the key is held back."""
    broker, outbox = Broker(), Outbox()
    broker.errors = [PublishRefusedError("no queue")]
    outbox.errors = [AutoReconnect("away")]
    async with running(broker, outbox) as relay:
        relay.enqueue([row(1)])
        await until(lambda: relay.needs_refill)
        assert relay.blocked_keys == {"k1"}
        relay.enqueue([row(1, "k1"), row(2)])
        await until(lambda: outbox.deleted == ["id-2"])
        relay.block(set())
        assert relay.needs_refill


async def test_a_deletion_that_fails_is_repeated():
    """Until then the rows count as known, so that no sweep sends them twice."""
    broker, outbox = Broker(), Outbox()
    outbox.errors = [AutoReconnect("away")]
    async with running(broker, outbox) as relay:
        relay.enqueue([row(1)])
        await until(lambda: outbox.deleted == ["id-1"])
        await relay.drain()


async def test_many_deletions_are_several_statements(monkeypatch):
    """Each within what one statement may hold."""
    monkeypatch.setattr(relay_module, "_MOST_DELETED", 2)
    broker, outbox = Broker(), Outbox()
    async with running(broker, outbox) as relay:
        relay.enqueue([row(number) for number in range(5)])
        await relay.drain()
    assert sorted(outbox.deleted) == [f"id-{number}" for number in range(5)]
    assert outbox.statements == 3


async def test_what_was_confirmed_when_a_relay_broke_is_deleted():
    """By the next run, also when nothing is confirmed any more."""
    broker, outbox = Broker(), Outbox()
    outbox.errors = [RuntimeError("odd")]
    relay = Relay(outbox, broker, SETTINGS)
    relay.enqueue([row(1)])
    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(relay.run(), 5)
    relay.recover()
    task = asyncio.create_task(relay.run())
    await asyncio.wait_for(relay.drain(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert outbox.deleted == ["id-1"]


async def test_a_relay_that_broke_begins_anew():
    """What it held is read from the outbox."""
    relay = Relay(Outbox(), Broker(), SETTINGS)
    relay.enqueue([row(1)])
    relay.recover()
    assert len(relay) == 0
    assert relay.needs_refill


class WireChannel:
    """A channel whose publish ends as told."""

    is_closed = False
    number = 1

    def __init__(self, ending):
        self._ending = ending
        self.published = 0
        self.unblocked = asyncio.Event()
        self.unblocked.set()
        self.connection = SimpleNamespace(ready=self.unblocked.wait)

    async def publish(self, template, body):
        """End."""
        self.published += 1
        if self._ending is None:
            await asyncio.sleep(1)
        raise self._ending


def publisher_on(wire):
    """Return a publisher on such a channel."""

    async def channel(**_):
        return wire

    link = SimpleNamespace(channel=channel)
    return Publisher(link, "chat", SETTINGS.publish_timeout / 100)


@pytest.mark.parametrize(
    ("ending", "error"),
    [
        (None, BrokerAwayError),
        (ConnectionError("cut"), BrokerAwayError),
        (asyncio.CancelledError(), BrokerAwayError),
        (DeliveryError(None, None), BrokerAwayError),
        (ChannelPreconditionFailed("too large"), PublishRefusedError),
    ],
)
async def test_an_ending_has_its_meaning(ending, error):
    """No confirm and a nack: again. A frame that is too large: refused."""
    publisher = publisher_on(WireChannel(ending))
    with pytest.raises(error):
        await publisher.publish("a.events", "a.b", b"[]", event_type="a.b", headers={})


async def test_nothing_is_written_while_the_broker_blocks():
    """It reads nothing then: each try would stay in this process's buffer."""
    wire = WireChannel(None)
    wire.unblocked.clear()
    publisher = publisher_on(wire)
    with pytest.raises(BrokerAwayError):
        await publisher.publish("a.events", "a.b", b"[]", event_type="a.b", headers={})
    assert wire.published == 0


async def test_a_caller_s_cancellation_is_his_own():
    """It is not taken for a lost connection."""
    publisher = publisher_on(WireChannel(None))
    task = asyncio.create_task(
        publisher.publish("a.events", "a.b", b"[]", event_type="a.b", headers={})
    )
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
