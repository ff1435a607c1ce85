"""The bus in memory keeps the promises of the real one, and offers tests more."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from libs.events import PermanentError, Retry, Worker
from libs.events.catalog import ConversationRead, MessageDeleted
from libs.events.memory import InMemoryBus
from libs.events.memory.broker import MemoryBroker
from tests.integration.events.conformance import BusConformance, Rig, deleted, read
from tests.integration.events.conformance_delivery import DeliveryConformance
from tests.integration.events.conformance_frames import FrameConformance
from tests.integration.events.conformance_order import OrderConformance


class MemoryRig(Rig):
    """Services on one broker in memory."""

    def __init__(self):
        self.broker = MemoryBroker()
        self._bus = InMemoryBus("producer", broker=self.broker)
        self._buses = {}

    @property
    def bus(self):
        """The producer's bus."""
        return self._bus

    def worker(self, name="consumer"):
        """Declare a worker."""
        return Worker(name)

    @asynccontextmanager
    async def consuming(self, worker, app=None):
        """Run a worker on a bus of its own, which keeps its inbox."""
        bus = self._buses.setdefault(
            worker.service, InMemoryBus(worker.service, broker=self.broker)
        )
        async with bus.run_worker(worker, app):
            yield bus

    async def dead_letters(self, worker, name):
        """Read the dead letters."""
        return self._bus.dead_letters(worker.service, name)

    async def parked(self, worker, key, count):
        """Wait until so many events of a key are parked."""
        book = self._buses[worker.service].effects.order_book
        await self.until(
            lambda: sum(event.key == key for event in book.parked.values()) == count
        )

    async def release(self, worker, key):
        """Let a key go on, as an operator."""
        book = self._buses[worker.service].effects.order_book
        book.release(worker.subscriptions[0].name, key)

    async def send_raw(self, exchange, routing_key, body):
        """Publish bytes."""
        self.broker.publish(exchange, routing_key, body)


@pytest.fixture
def rig():
    """A fresh broker."""
    return MemoryRig()


class TestMemoryBus(BusConformance):
    """The conformance suite in memory."""


class TestMemoryFrames(FrameConformance):
    """The cases about frames in memory."""


class TestMemoryOrder(OrderConformance):
    """The cases about order in memory."""


class TestMemoryDelivery(DeliveryConformance):
    """The cases about deliveries in memory."""


async def test_tiers_can_take_time():
    """With a clock of the test's, a retried event waits until time is advanced."""
    bus = InMemoryBus(has_immediate_tiers=False)
    worker, seen = Worker("consumer"), []

    @worker.subscribe(
        ConversationRead, name="reads", retry=Retry(immediate=0, delays=("1s", "10m"))
    )
    async def on_read(event, context):
        seen.append(context.attempt)
        if context.attempt < 3:
            raise ValueError

    async with bus.run_worker(worker, None):
        async with bus.transaction() as transaction:
            transaction.publish(read(1))
        await bus.delivered(ConversationRead)
        assert seen == [1]
        await bus.advance(timedelta(seconds=1))
        assert seen == [1, 2]
        await bus.advance(timedelta(seconds=599))
        assert seen == [1, 2]
        await bus.advance(timedelta(seconds=1))
    assert seen == [1, 2, 3]


async def test_what_was_published_is_recorded():
    """`published` has every committed event in order; unroutable ones are kept."""
    bus = InMemoryBus()
    async with bus.transaction() as transaction:
        assert transaction.session is None
        transaction.publish(read(1))
        transaction.publish(deleted(2))
    assert bus.published == [read(1), deleted(2)]
    assert bus.published_of(ConversationRead) == [read(1)]
    assert len(bus.broker.unroutable) == 2
    assert bus.health()["is_healthy"]
    await bus.check()


async def test_waiting_for_what_never_comes_times_out():
    """`delivered` raises rather than hangs."""
    with pytest.raises(TimeoutError):
        await InMemoryBus().delivered(
            ConversationRead, within=timedelta(milliseconds=20)
        )


async def test_live_state_can_be_played():
    """A test can act out the loss of the live queue."""
    bus, states = InMemoryBus(), []
    bus.on_live_change(states.append)
    bus.set_live_connected(is_connected=False)
    assert not bus.live_is_connected
    bus.set_live_connected(is_connected=True)
    assert states == [False, True]


async def test_a_crash_loop_is_broken():
    """A frame that came back again and again ends; events beside it are spared."""
    broker = MemoryBroker()
    bus = InMemoryBus(broker=broker)
    worker, done, starts = Worker("consumer"), [], []

    @worker.subscribe(ConversationRead, name="reads")
    async def on_read(event, context):
        if event.read_seq == 1:
            starts.append(1)
            await asyncio.sleep(30)
        done.append(event.read_seq)

    async with bus.transaction() as transaction:
        transaction.publish(read(0, "a"))
    for _ in range(12):
        async with bus.run_worker(worker, None):
            if not broker.queues["consumer.reads"].outstanding and not done:
                async with bus.transaction() as transaction:
                    transaction.publish(read(1, "b"))
                    transaction.publish(read(2, "c"))
            await asyncio.sleep(0.01)
            crash(bus, broker)
    assert bus.dead_letters("consumer", "reads")[0]["x-reason"] == "crash_loop"
    assert done == [2]
    assert 5 <= len(starts) <= 8


async def test_a_batch_crash_loop_is_broken():
    """The same for a batch handler: suspects run alone and are counted."""
    broker = MemoryBroker()
    bus = InMemoryBus(broker=broker)
    worker, done = Worker("consumer"), []

    @worker.subscribe_batch(ConversationRead, name="reads")
    async def on_reads(batch):
        numbers = [item.event.read_seq for item in batch.items]
        if 1 in numbers:
            await asyncio.sleep(30)
        done.extend(numbers)

    for round_number in range(12):
        async with bus.run_worker(worker, None):
            if round_number == 0:
                async with bus.transaction() as transaction:
                    for number in range(3):
                        transaction.publish(read(number))
            await asyncio.sleep(0.01)
            crash(bus, broker)
    assert bus.dead_letters("consumer", "reads")[0]["x-reason"] == "crash_loop"
    assert sorted(done) == [0, 2]


async def test_an_event_that_cannot_be_moved_is_handed_back():
    """Without its dead-letter queue an event stays where it is until there is one."""
    bus, tries = InMemoryBus(), []
    worker = Worker("consumer")

    @worker.subscribe(ConversationRead, name="reads")
    async def on_read(event, context):
        tries.append(1)
        raise PermanentError("never")

    async with bus.run_worker(worker, None):
        letters = bus.broker.queues.pop("consumer.reads.dlq")
        async with bus.transaction() as transaction:
            transaction.publish(read(1))
        while len(tries) < 2:  # noqa: ASYNC110 - the handler's own count
            await asyncio.sleep(0)
        bus.broker.queues["consumer.reads.dlq"] = letters
        await bus.settled()
    assert len(bus.dead_letters("consumer", "reads")) == 1


async def test_a_live_handler_cannot_publish_in_a_transaction():
    """It has none; the mistake is logged and fails nothing."""
    bus, errors = InMemoryBus(), []
    worker = Worker("consumer")

    @worker.subscribe_live(ConversationRead, name="live")
    async def on_read(event, context):
        try:
            context.publish(event)
        except TypeError as err:
            errors.append(err)

    async with bus.run_worker(worker, None):
        await bus.publish_transient(read(1))
        await bus.settled()
    assert len(errors) == 1


def crash(bus, broker):
    """Lose the process: deliveries go back, handlers never end."""
    queue = broker.queues["consumer.reads"]
    queue.detach()
    for task in asyncio.all_tasks():
        if "Lanes._run" in repr(task) or "BatchRunner._run" in repr(task):
            task.cancel()


async def test_an_ordered_replay_is_handled_after_its_successors():
    """An operator's replay of a skipped event runs, and changes no number."""
    bus = InMemoryBus()
    worker, seen, broken = Worker("consumer"), [], [2]

    @worker.subscribe(
        MessageDeleted,
        name="ordered",
        is_ordered=True,
        retry=Retry(immediate=0, delays=()),
    )
    async def on_deleted(event, context):
        if event.revision in broken:
            raise ValueError
        seen.append(event.revision)

    async with bus.run_worker(worker, None):
        async with bus.transaction() as transaction:
            for number in (1, 2, 3):
                transaction.publish(deleted(number))
        await bus.settled()
        assert seen == [1, 3]
        broken.clear()
        (letter,) = bus.broker.queues["consumer.ordered.dlq"].waiting
        headers = {"x-attempt": 1, "x-replayed": 1}
        await bus.publish(
            "consumer.ordered",
            letter.body,
            event_type="message.deleted",
            headers=headers,
        )
        await bus.settled()
        assert seen == [1, 3, 2]
        async with bus.transaction() as transaction:
            transaction.publish(deleted(4))
        await bus.settled()
    assert seen == [1, 3, 2, 4]


async def test_an_ordered_crash_loop_is_broken():
    """The event that kills is buried after five starts; its successors go on."""
    bus = InMemoryBus()
    worker, seen = Worker("consumer"), []

    @worker.subscribe(MessageDeleted, name="ordered", is_ordered=True)
    async def on_deleted(event, context):
        seen.append(event.revision)

    book = bus.effects
    async with bus.transaction() as transaction:
        event_id = transaction.publish(deleted(1))
    bus.broker.declare("consumer", worker.subscriptions[0])
    async with bus.transaction() as transaction:
        event_id = transaction.publish(deleted(1))
        transaction.publish(deleted(2))
    book.starts["ordered", event_id] = 5
    for message in bus.broker.queues["consumer.ordered"].waiting:
        message.delivery_count = 3
    async with bus.run_worker(worker, None):
        await bus.settled()
    assert seen == [2]
    (headers,) = bus.dead_letters("consumer", "ordered")
    assert headers["x-reason"] == "crash_loop"


async def test_leaving_waits_for_no_gap():
    """What waits for a missing number goes back to the queue."""
    bus = InMemoryBus()
    worker, seen = Worker("consumer"), []

    @worker.subscribe(MessageDeleted, name="ordered", is_ordered=True)
    async def on_deleted(event, context):
        seen.append(event.revision)

    async with bus.run_worker(worker, None):
        for number in (1, 3):
            async with bus.transaction() as transaction:
                transaction.publish(deleted(number))
        await asyncio.sleep(0.05)
    assert seen == [1]
    assert len(bus.broker.queues["consumer.ordered"].waiting) == 1
    async with bus.run_worker(worker, None):
        async with bus.transaction() as transaction:
            transaction.publish(deleted(2))
        await bus.settled()
    assert seen == [1, 2, 3]


async def test_what_cannot_be_parked_goes_back(monkeypatch):
    """The database fails: the event is delivered again, and parked then."""
    bus = InMemoryBus()
    worker, fails = Worker("consumer"), [True]

    @worker.subscribe(
        MessageDeleted, name="ordered", is_ordered=True, gap_hold=timedelta(0)
    )
    async def on_deleted(event, context):
        pass

    book = bus.effects.order_book
    original = book.park

    async def park(*arguments):
        if fails:
            fails.clear()
            raise ValueError
        await original(*arguments)

    monkeypatch.setattr(book, "park", park)
    async with bus.run_worker(worker, None):
        for number in (1, 3):
            async with bus.transaction() as transaction:
                transaction.publish(deleted(number))
        await bus.settled()
    assert [event.sequence for event in book.parked.values()] == [3]
