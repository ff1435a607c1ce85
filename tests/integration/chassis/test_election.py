"""A primary that steps down, under writes through the house's own client and bus."""

import asyncio
import contextlib

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from libs.chassis.mongo import map_mongo_errors, open_mongo
from libs.chassis.settings import MongoSettings
from libs.events import BusSettings
from libs.events.rabbitmq import open_bus
from libs.kernel import UnavailableError, new_id

pytestmark = pytest.mark.integration

_WRITERS = 6
_SECONDS = 6
_DOWN_SECONDS = 2


async def _write(bus, things, written):
    """Write one document in a transaction, with one retry as a client has it."""
    thing_id = new_id()

    async def store(transaction):
        with map_mongo_errors():
            await things.update_one(
                {"_id": thing_id},
                {"$set": {"x": 1}},
                upsert=True,
                session=transaction.session,
            )

    try:
        await bus.run_transaction(store)
    except UnavailableError:
        await bus.run_transaction(store)
    written.append(thing_id)


async def _write_on(bus, things, written):
    async with asyncio.timeout(_SECONDS + 15):
        ends_at = asyncio.get_running_loop().time() + _SECONDS
        while asyncio.get_running_loop().time() < ends_at:
            await _write(bus, things, written)
            await asyncio.sleep(0.02)


async def _step_down(url):
    await asyncio.sleep(1)
    async with AsyncMongoClient(url) as admin:
        # The server may close the connection instead of answering.
        with contextlib.suppress(PyMongoError):
            await admin.admin.command(
                "replSetStepDown",
                _DOWN_SECONDS,
                secondaryCatchUpPeriodSecs=0,
                force=True,
            )


async def _election(url):
    async with AsyncMongoClient(url) as admin:
        return (await admin.admin.command("hello"))["electionId"]


async def test_a_step_down_costs_a_client_no_more_than_one_retry(stack):
    """An election is waited for, and what was answered is there."""
    settings = MongoSettings(
        mongo_url=stack.database_url("chat"), mongo_database="parley_chat"
    )
    bus_settings = BusSettings(
        service="chat", instance_id="election", amqp_url=stack.amqp_url("chat")
    )
    written = []
    election = await _election(stack.admin_mongo_url)
    async with (
        open_mongo(settings) as database,
        open_bus(bus_settings, database) as bus,
    ):
        things = database.chassis_election
        await things.delete_many({})
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_step_down(stack.admin_mongo_url))
            for _ in range(_WRITERS):
                tasks.create_task(_write_on(bus, things, written))
        stored = {document["_id"] async for document in things.find({})}
        await things.drop()
    assert await _election(stack.admin_mongo_url) != election
    assert len(written) > _WRITERS * 20
    assert set(written) == stored
