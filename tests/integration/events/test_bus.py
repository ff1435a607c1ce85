"""Opening a bus, its health, and what it refuses."""

import asyncio
import gc
from datetime import timedelta

import pytest
from aio_pika.abc import AbstractConnection

from libs.events import BusSettings, Worker
from libs.events.catalog import ConversationRead, UserDeleted
from libs.events.errors import NotEmittedError
from libs.events.rabbitmq import open_bus
from libs.kernel import UnavailableError
from tests.integration.events.conformance import read

pytestmark = pytest.mark.integration

NOWHERE = BusSettings("chat", "1", "amqp://a:b@127.0.0.1:1/")


async def test_a_bus_opens_without_its_broker():
    """It is unhealthy and says so; what may be lost is dropped without a wait."""
    async with open_bus(NOWHERE) as bus:
        assert not bus.health()["is_healthy"]
        with pytest.raises(UnavailableError):
            await bus.check()
        async with asyncio.timeout(0.5):
            await bus.publish_transient(read(1))


async def test_a_connection_that_never_opened_is_closed():
    """Else the garbage collector does it, perhaps when there is no loop to do it on."""
    gc.collect()
    gc.disable()
    try:
        async with open_bus(NOWHERE):
            await asyncio.sleep(0.1)
        made = [one for one in gc.get_objects() if isinstance(one, AbstractConnection)]
        assert [one for one in made if not one.is_closed] == []
    finally:
        gc.enable()


async def test_a_bus_without_a_database_has_live_subscriptions_only():
    """No transaction, no durable subscription: there is no inbox for it."""
    worker = Worker("gateway")
    worker.subscribe(ConversationRead, name="reads")(None)
    async with open_bus(NOWHERE, None, worker) as bus:
        with pytest.raises(TypeError, match="no database"):
            bus.transaction()
        with pytest.raises(ValueError, match="needs a database"):
            async with bus.run_worker(worker, None):
                pass


async def test_a_service_publishes_only_what_it_declares(rig):
    """A forgotten entry in ``emits`` is found by the first test, not by the broker."""
    with pytest.raises(NotEmittedError):
        async with rig.bus.transaction() as transaction:
            transaction.publish(UserDeleted(user_id="u", revision=1))


async def test_a_healthy_bus_passes_its_check(rig):
    """Connected, consuming, with an empty outbox."""
    worker = rig.worker()

    @worker.subscribe(ConversationRead, name="reads")
    async def on_read(event, context):
        pass

    async with rig.consuming(worker) as bus:
        await bus.check()
        report = bus.health()
    assert report["subscriptions"] == {"consumer.reads": True}
    assert report["outbox"]["rows"] == 0


async def test_a_missing_queue_makes_it_unhealthy_after_a_grace(rig):
    """A subscription without a consumer for too long fails the check."""
    worker = rig.worker()
    worker.subscribe(ConversationRead, name="reads")(None)
    settings = rig.settings(
        "producer", instance_id="other", consumer_grace=timedelta(seconds=0.3)
    )
    worker.service = "producer"
    async with (
        open_bus(settings, rig.database("producer")) as bus,
        bus.run_worker(worker, None),
    ):
        await rig.until(lambda: bus.health()["without_consumer"] == ["producer.reads"])
        with pytest.raises(UnavailableError):
            await bus.check()


async def test_the_watchdog_gives_a_subscription_up_once(rig):
    """Where it is set, its callback hears which subscription cannot come back."""
    worker, given_up = rig.worker(), []
    worker.subscribe(ConversationRead, name="reads")(None)
    worker.service = "producer"
    soon = timedelta(seconds=0.4)
    settings = rig.settings("producer", instance_id="other", give_up_after=soon)
    async with open_bus(settings, rig.database("producer")) as bus:
        bus.on_given_up(given_up.append)
        async with bus.run_worker(worker, None):
            await rig.until(lambda: given_up)
            await asyncio.sleep(0.3)
    assert given_up == ["producer.reads"]
