"""Deliveries that only a real broker makes: closes, tiers, instances, bindings."""

import asyncio
import time
from datetime import timedelta

import aio_pika
import pytest

from libs.events import Retry
from libs.events.catalog import ConversationRead, MessageDeleted, UserSuspended
from libs.events.errors import BrokerAwayError
from libs.events.inbox import KEPT_FOR
from libs.events.outbox.store import OutboxStore
from libs.events.rabbitmq import open_bus
from tests.integration.events.conformance import deleted, read
from tests.support.firing import Watched, assert_fires

pytestmark = pytest.mark.integration


async def test_a_handler_outlives_its_channel(rig):
    """Its channel is closed under it: it finishes, its late ack harms nobody."""
    worker, started, done = rig.worker(), [], []

    @worker.subscribe(ConversationRead, name="reads")
    async def on_read(event, context):
        started.append(event.read_seq)
        await asyncio.sleep(1)
        done.append(event.read_seq)

    async with rig.consuming(worker) as bus:
        await rig.publish(read(1))
        await rig.until(lambda: started)
        await rig.close_connections()
        await rig.until(lambda: bus.health()["subscriptions"]["consumer.reads"], 15)
        await rig.publish(read(2))
        await rig.until(lambda: 2 in done)
        await asyncio.sleep(0.5)
    assert done == [1, 2]


async def test_a_tier_takes_its_time(rig):
    """An event comes back from the tier of 1 s within 10 % and the way."""
    worker, times = rig.worker(), []

    @worker.subscribe(
        ConversationRead, name="reads", retry=Retry(immediate=0, delays=("1s",))
    )
    async def on_read(event, context):
        times.append(time.monotonic())
        if len(times) == 1:
            raise ValueError

    watched = Watched("consumer")
    watched.look()
    async with rig.consuming(worker):
        await rig.publish(read(1))
        await rig.until(lambda: len(times) == 2)
    watched.look()
    assert 0.95 <= times[1] - times[0] <= 1.6
    assert_fires("EventsRetrying", watched)


async def test_two_instances_share_a_service_s_copy(rig):
    """One queue, two processes: each event is handled by one of them, once."""
    worker, seen = rig.worker(), []

    @worker.subscribe(ConversationRead, name="reads", prefetch=2)
    async def on_read(event, context):
        seen.append((context.app, event.read_seq))
        await asyncio.sleep(0.005)

    async with rig.consuming(worker, "first"):
        settings = rig.settings("consumer", instance_id="second")
        async with (
            open_bus(settings, rig.database("consumer")) as second,
            second.run_worker(worker, "second"),
        ):
            await rig.until(lambda: second.health()["subscriptions"]["consumer.reads"])
            for number in range(60):
                await rig.send_alone(read(number, f"c{number}"))
            await rig.until(lambda: len(seen) == 60)
    assert {app for app, _ in seen} == {"first", "second"}
    assert sorted(number for _, number in seen) == list(range(60))


async def test_closing_a_publisher_loses_nothing(rig):
    """What was committed a moment before leaves while the bus drains."""
    worker, seen = rig.worker(), []

    @worker.subscribe(ConversationRead, name="reads")
    async def on_read(event, context):
        seen.append(event.read_seq)

    async with rig.consuming(worker):
        settings = rig.settings("producer", instance_id="short")
        async with open_bus(settings, rig.database("producer")) as bus:
            for number in range(50):
                async with bus.transaction() as transaction:
                    transaction.publish(read(number))
        await rig.until(lambda: len(seen) == 50)
    assert seen == list(range(50))
    assert await rig.database("producer").outbox.count_documents({}) == 0


async def test_a_missing_exchange_disturbs_nobody_else(rig):
    """Its events wait; those of other exchanges are published and handled."""
    worker, seen = rig.worker(), []

    @worker.subscribe(ConversationRead, name="reads")
    async def on_read(event, context):
        seen.append(event.read_seq)

    async with rig.consuming(worker) as bus:
        async with await aio_pika.connect(rig.admin.amqp_url) as connection:
            channel = await connection.channel()
            await channel.exchange_delete("user.events")
            await channel.close()
        suspended = UserSuspended(user_id="u", revision=1, is_suspended=True)
        await rig.publish(suspended, read(1))
        for number in range(2, 6):
            await rig.publish(read(number))
        await rig.until(lambda: len(seen) == 5)
        assert bus.health()["subscriptions"]["consumer.reads"]
        outbox = rig.database("producer").outbox
        async with asyncio.timeout(20):
            while await outbox.count_documents({}) > 1:  # noqa: ASYNC110 - a database
                await asyncio.sleep(0.05)
            assert await outbox.distinct("t") == ["user.suspended"]
            await rig.apply()
            while await outbox.count_documents({}):  # noqa: ASYNC110 - a database
                await asyncio.sleep(0.05)


async def test_a_closed_channel_costs_nobody_the_connection(rig):
    """What was on its way to a refused exchange is not written behind its end."""
    link, publisher = rig.bus._publish_link, rig.bus._publisher
    body = rig.frame_of(deleted(1))

    async def publish(exchange):
        await publisher.publish(
            exchange, "message.deleted", body, event_type="message.deleted", headers={}
        )

    await publish("message.events")
    connection = link._connection
    refused, good = [], []
    for _ in range(500):
        refused.append(asyncio.create_task(publish("nobody.events")))
        good.append(asyncio.create_task(publish("message.events")))
        await asyncio.sleep(0.0005)
    await asyncio.gather(*good)
    assert {
        type(one) for one in await asyncio.gather(*refused, return_exceptions=True)
    } == {BrokerAwayError}
    assert link._connection is connection


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [("user.#", {"user", "user.a", "user.a.b"}), ("user.*", {"user.a"})],
)
async def test_the_broker_reads_patterns_as_we_do(rig, pattern, taken):
    """``#`` is any number of words, none too; ``*`` is one."""
    async with await aio_pika.connect(rig.admin.amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange("try.events", "topic")
        queue = await channel.declare_queue("try.them")
        await queue.bind(exchange, pattern)
        for key in ("user", "user.a", "user.a.b", "users"):
            await exchange.publish(aio_pika.Message(b"x"), key, mandatory=False)
        found = set()
        while message := await queue.get(fail=False, no_ack=True):
            found.add(message.routing_key)
        await channel.close()
    assert found == taken


async def test_a_commit_that_overtakes_hides_no_other(rig):
    """The first to insert commits last: both events arrive."""
    worker, seen = rig.worker(), []

    @worker.subscribe(MessageDeleted, name="deleted")
    async def on_deleted(event, context):
        seen.append(event.revision)

    async with rig.consuming(worker):
        async with rig.bus.transaction() as slow:
            slow.publish(deleted(1, "slow"))
            async with rig.bus.transaction() as fast:
                fast.publish(deleted(2, "fast"))
            await rig.until(lambda: seen == [2])
        await rig.until(lambda: seen == [2, 1])


async def test_a_key_with_16_writers_is_in_order(rig):
    """Sequence is taken inside the commit, so it is the order of the commits."""
    worker, seen = rig.worker(), []
    counters = rig.database("producer").counters

    @worker.subscribe(MessageDeleted, name="ordered", is_ordered=True)
    async def on_deleted(event, context):
        seen.append(event.revision)

    async def write(transaction):
        counter = await counters.find_one_and_update(
            {"_id": "c"},
            {"$inc": {"n": 1}},
            upsert=True,
            return_document=True,
            session=transaction.session,
        )
        transaction.publish(deleted(counter["n"]))

    async def writer():
        for _ in range(3):
            await rig.bus.run_transaction(write)

    async with rig.consuming(worker):
        await rig.bus.run_transaction(write)
        await asyncio.gather(*(writer() for _ in range(16)))
        await rig.until(lambda: len(seen) == 49)
    assert seen == list(range(1, 50))


async def test_rows_of_a_living_relay_are_not_swept(rig):
    """A sweeper leaves them alone however old they are; once it died, it sends them."""
    database = rig.database("producer")
    settings = rig.settings("producer", instance_id="sweeping")
    await database.outbox_lease.insert_one({"_id": "relay:living"})
    await database.outbox_lease.update_one(
        {"_id": "relay:living"},
        [{"$set": {"until": {"$add": ["$$NOW", 2500]}, "seen": "$$NOW"}}],
    )
    row = rig.bus._stager.row(deleted(1))
    store = OutboxStore(database, "living")
    async with database.client.start_session() as session:
        await session.start_transaction()
        await store.insert([row], session)
        await session.commit_transaction()
    async with open_bus(settings, database):
        await asyncio.sleep(1.5)
        assert await database.outbox.count_documents({}) == 1
        async with asyncio.timeout(10):
            while await database.outbox.count_documents({}):  # noqa: ASYNC110 - a database
                await asyncio.sleep(0.05)
    assert len(await rig.take_some("unroutable")) == 1


async def test_the_inbox_forgets_after_two_weeks(rig):
    """Longer than every tier and a replay; MongoDB's TTL index does it."""
    indexes = await rig.database("producer").inbox.index_information()
    assert indexes["at_1"]["expireAfterSeconds"] == KEPT_FOR.total_seconds()
    assert timedelta(days=14) == KEPT_FOR


async def test_a_cancelled_caller_breaks_no_later_confirm(rig):
    """Whoever gives up waiting leaves the channel as it was."""
    publisher = rig.bus._publisher
    body = rig.frame_of(deleted(1))
    target = ("message.events", "message.deleted", body)
    named = {"event_type": "message.deleted", "headers": {}}
    await publisher.publish(*target, **named)
    for _ in range(5):
        task = asyncio.create_task(publisher.publish(*target, **named))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.gather(*(publisher.publish(*target, **named) for _ in range(5)))


async def test_starts_are_counted_whatever_becomes_of_them(rig):
    """The count of an event that kills its process outlives the process."""
    inbox = rig.bus._persistence.inbox
    assert [await inbox.count_start("reads", "an id") for _ in range(3)] == [1, 2, 3]
    assert await inbox.count_start("others", "an id") == 1
