"""What dies, and what must not be lost with it."""

import asyncio
import signal
import sys
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta

import aio_pika
import pytest

from libs.events import WriteConflictError, metrics
from libs.events.catalog import ConversationRead, MessageDeleted
from libs.events.outbox.lease import Lease
from libs.events.rabbitmq import open_bus
from tests.integration.events.conformance import deleted, read
from tests.support.firing import Watched, assert_fires

pytestmark = pytest.mark.integration

CRASHING = """
import asyncio, os, signal, sys
from pymongo import AsyncMongoClient
from libs.events import BusSettings
from libs.events.catalog import ConversationRead
from libs.events.rabbitmq import open_bus

async def main(mongo_url, database):
    async with AsyncMongoClient(mongo_url) as client:
        settings = BusSettings("producer", "crashing", "amqp://x:y@127.0.0.1:1/")
        async with open_bus(settings, client[database]) as bus:
            for part in range(5):
                async with bus.transaction() as transaction:
                    for number in range(part * 20, part * 20 + 20):
                        transaction.publish(
                            ConversationRead(
                                conversation_id=f"c{number % 3}",
                                user_id="u",
                                read_seq=number,
                            )
                        )
            os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(*sys.argv[1:]))
"""


def counting(worker, name="reads"):
    """Subscribe a handler that counts; returns what it counted, in order."""
    seen = []

    @worker.subscribe(ConversationRead, name=name)
    async def on_read(event, context):
        seen.append((event.conversation_id, event.read_seq))

    return seen


async def test_the_sweeper_publishes_what_a_killed_process_left(rig):
    """100 events of a process that died after its commits arrive, in order by key."""
    worker = rig.worker()
    seen = counting(worker)
    async with rig.consuming(worker):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            CRASHING,
            rig.servers.mongo_url,
            rig.database("producer").name,
        )
        assert await process.wait() == -signal.SIGKILL
        await rig.until(lambda: len(seen) >= 100, 30)
    assert Counter(seen).most_common(1)[0][1] == 1
    for key in ("c0", "c1", "c2"):
        numbers = [number for conversation, number in seen if conversation == key]
        assert numbers == sorted(numbers)
    async with asyncio.timeout(10):
        while await rig.database("producer").outbox.count_documents({}):  # noqa: ASYNC110 - a database
            await asyncio.sleep(0.05)


async def test_events_wait_for_the_broker_in_bounded_memory(rig):
    """Twenty times the bound is committed while the broker refuses us; all arrive."""
    worker = rig.worker()
    seen = counting(worker)
    settings = rig.settings("producer", relay_max_rows=50, instance_id="late")
    user = rig.user("producer")
    await rig._management._call("DELETE", f"users/{user}")
    async with (
        rig.consuming_only(worker),
        open_bus(settings, rig.database("producer")) as bus,
    ):
        watched = Watched("producer")
        await watched.until("events_outbox_age_seconds", lambda age: age == 0)
        for number in range(100):
            async with bus.transaction() as transaction:
                for key in range(10):
                    transaction.publish(read(number, f"c{key}"))
        assert not bus.health()["is_healthy"]
        assert len(bus._persistence.relay) <= 60
        await watched.until("events_outbox_age_seconds", lambda age: age > 0)
        await rig.apply()
        await rig.until(lambda: len(seen) >= 1000, 30)
        await bus._persistence.relay.drain()
    assert len(seen) == len(set(seen)) == 1000
    for key in range(10):
        numbers = [number for conversation, number in seen if conversation == f"c{key}"]
        assert numbers == sorted(numbers)
    assert_fires("EventsOutboxStuck", watched, ages=["events_outbox_age_seconds"])


async def test_a_refused_event_parks_its_key_only(rig):
    """Nothing takes one type: its key waits, other keys go on, requeue frees it."""
    settings = rig.settings("producer", park_after=1, instance_id="refused")
    worker = rig.worker()
    seen = counting(worker)
    async with (
        rig.consuming(worker),
        open_bus(settings, rig.database("producer")) as bus,
    ):
        await rig.redeclare_without_alternate("message.events")
        await rig.until(lambda: metrics.outbox_parked._value.get() == 0)
        watched = Watched("producer")
        watched.look()
        async with bus.transaction() as transaction:
            transaction.publish(deleted(1, "bad"))
            transaction.publish(read(1, "bad"))
            transaction.publish(read(1, "good"))
        await rig.until(lambda: bus.health()["outbox"]["parked_keys"] == 1)
        await watched.until("events_outbox_parked_keys", lambda keys: keys == 1)
        assert seen == [("good", 1)]
        async with bus.transaction() as transaction:
            transaction.publish(read(2, "bad"))
        await asyncio.sleep(0.3)
        assert seen == [("good", 1)]
        await rig.redeclare_with_alternate("message.events")
        assert await bus._persistence.store.requeue() == 1
        await rig.until(lambda: len(seen) == 3)
    assert seen == [("good", 1), ("bad", 1), ("bad", 2)]
    assert_fires("EventsOutboxParked", watched)
    assert_fires("EventsRefused", watched)


async def test_a_deleted_queue_is_consumed_again_once_it_is_back(rig):
    """The broker cancels the consumer; health says so until the queue is there."""
    worker = rig.worker()
    seen = counting(worker)
    async with rig.consuming(worker) as bus:
        await rig.delete_queue("consumer.reads")
        await rig.until(lambda: not bus.health()["subscriptions"]["consumer.reads"])
        await rig.apply()
        await rig.until(lambda: bus.health()["subscriptions"]["consumer.reads"], 15)
        await rig.publish(read(1))
        await rig.until(lambda: seen)
    assert seen == [("c", 1)]


async def test_an_ordered_subscription_has_one_consumer_at_a_time(rig):
    """Of two processes one consumes; when it drains, the other goes on in order."""
    worker, seen = rig.worker(), []

    @worker.subscribe(ConversationRead, name="reads", is_ordered=True, prefetch=4)
    async def on_read(event, context):
        await asyncio.sleep(0.02)
        seen.append((context.app, event.read_seq))

    await rig.open(worker)
    settings = rig.settings("consumer", instance_id="second")
    first = AsyncExitStack()
    await first.enter_async_context(rig.consuming(worker, "first"))
    async with (
        first,
        open_bus(settings, rig.database("consumer")) as second,
        second.run_worker(worker, "second"),
    ):
        await rig.publish(*(read(number) for number in range(10)))
        for number in range(10, 40):
            await rig.publish(read(number))
            await asyncio.sleep(0.005)
        await first.aclose()
        await rig.until(lambda: len(seen) == 40, 20)
    assert {app for app, _ in seen} == {"first", "second"}
    assert [number for _, number in seen] == list(range(40))


async def test_a_live_queue_comes_back_and_says_so(rig):
    """The owner is told when it may have missed something, and when it is back."""
    worker, seen, states = rig.worker(), [], []

    @worker.subscribe_live(ConversationRead, name="events")
    async def on_read(event, context):
        seen.append(event.read_seq)

    async with rig.consuming(worker) as bus:
        bus.on_live_change(states.append)
        await rig.close_connections()
        await rig.until(lambda: states[-1:] == [True], 15)
        await rig.publish(read(1))
        await rig.until(lambda: seen)
    assert states[:2] == [False, True]
    assert seen == [1]


async def test_an_event_that_nobody_wants_is_kept_aside(rig):
    """It is confirmed, and lies in the unroutable queue."""
    await rig.publish(deleted(1))
    assert len(await rig.take_some("unroutable")) == 1


async def test_a_lost_race_is_a_write_conflict(rig):
    """A block surfaces it; the callable form runs again and publishes once."""
    things = rig.database("producer").things
    await things.insert_one({"_id": 1, "n": 0})
    runs = []
    with pytest.raises(WriteConflictError):  # noqa: PT012 - the block is the case
        async with rig.bus.transaction() as transaction:
            await things.find_one({"_id": 1}, session=transaction.session)
            await things.update_one({"_id": 1}, {"$inc": {"n": 1}})
            await things.update_one(
                {"_id": 1}, {"$inc": {"n": 1}}, session=transaction.session
            )

    async def callback(transaction):
        runs.append(1)
        await things.find_one({"_id": 1}, session=transaction.session)
        if len(runs) == 1:
            await things.update_one({"_id": 1}, {"$inc": {"n": 1}})
        await things.update_one(
            {"_id": 1}, {"$inc": {"n": 10}}, session=transaction.session
        )
        return transaction.publish(deleted(len(runs)))

    await rig.bus.run_transaction(callback)
    assert len(runs) == 2
    assert (await things.find_one({"_id": 1}))["n"] == 12
    found = await rig.take_some("unroutable")
    assert [headers["x-count"] for headers in found] == [1]


async def test_one_process_sweeps_at_a_time(rig):
    """The lease has one holder; after it runs out the next has a higher epoch."""
    database = rig.database("lease")
    first = Lease(database, "a", timedelta(seconds=0.6))
    second = Lease(database, "b", timedelta(seconds=0.6))
    await first.ensure_indexes()
    assert await first.acquire()
    assert not await second.acquire()
    assert await first.acquire()
    assert (first.epoch, first.is_held, second.is_held) == (1, True, False)
    await asyncio.sleep(0.7)
    assert not first.is_held
    assert await second.acquire()
    assert second.epoch == 2
    await second.release()
    assert await first.acquire()
    await first.beat()
    assert await first.living() == {"a"}
    await rig.client.drop_database(database.name)


async def test_a_service_has_no_other_rights(rig):
    """Default exchange, foreign exchange, foreign queue, own declarations: refused."""
    worker = rig.worker()
    counting(worker)
    await rig.open(worker)
    url = rig.settings("producer").amqp_url

    async def is_refused(action):
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel(on_return_raises=True)
            try:
                await action(channel)
            except aio_pika.exceptions.ChannelClosed as err:
                return "ACCESS_REFUSED" in str(err)
            finally:
                if not channel.is_closed:
                    await channel.close()
            return False

    async def to_default(channel):
        await channel.default_exchange.publish(
            aio_pika.Message(b"[]"), "consumer.reads", timeout=5
        )

    async def to(channel, name):
        exchange = await channel.get_exchange(name, ensure=False)
        await exchange.publish(aio_pika.Message(b"[]"), "x", timeout=5)

    async def consume(channel):
        queue = await channel.get_queue("consumer.reads", ensure=False)
        await queue.get(timeout=5)

    assert await is_refused(to_default)
    assert await is_refused(lambda channel: to(channel, "project.events"))
    assert await is_refused(lambda channel: to(channel, "consumer.direct"))
    assert await is_refused(consume)
    assert await is_refused(lambda channel: channel.declare_queue("producer.mine"))
    assert await is_refused(lambda channel: channel.declare_queue(exclusive=True))
    assert await is_refused(
        lambda channel: channel.declare_exchange("message.events", "topic")
    )
    assert MessageDeleted in rig.producer.emits
