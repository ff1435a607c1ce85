"""Killed with -9 at each point between commit and effect: lost 0, doubled 0."""

import asyncio
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from libs.events.catalog import ConversationRead
from tests.integration.events.conformance import read

pytestmark = pytest.mark.integration

DYING = Path(__file__).parent / "dying.py"
ROOT = Path(__file__).parents[3]
COUNT = 30
DIED_AT = 10


async def die_at(rig, point, service):
    """Run a service until it is killed at a point."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(DYING),
        point,
        rig.servers.mongo_url,
        rig.settings(service).amqp_url,
        rig.database(service).name,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert await asyncio.wait_for(process.wait(), 40) == -signal.SIGKILL


def recording(rig, worker):
    """Subscribe a handler whose effect is a document."""
    effects = rig.database("consumer").effects

    @worker.subscribe(ConversationRead, name="reads")
    async def on_read(event, context):
        await effects.insert_one({"number": event.read_seq}, session=context.session)

    return effects


async def numbers_of(effects):
    """Count the effects of each event."""
    return Counter([found["number"] async for found in effects.find()])


async def wait_for(effects, count):
    """Wait until there are so many effects, then a little longer for doubles."""
    async with asyncio.timeout(80):  # a killed process's transaction may last 60 s
        while await effects.count_documents({}) < count:  # noqa: ASYNC110 - a database
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)


@pytest.mark.parametrize(
    ("point", "committed"),
    [
        ("before_commit", DIED_AT - 1),
        ("after_commit", DIED_AT),
        ("after_publish_before_confirm", None),
        ("after_confirm_before_delete", None),
    ],
)
async def test_a_producer_killed_at_any_point_loses_nothing(rig, point, committed):
    """What was committed has its effect once; what was not has none."""
    worker = rig.worker()
    effects = recording(rig, worker)
    async with rig.consuming(worker):
        await die_at(rig, point, "producer")
        left = [document async for document in rig.database("producer").outbox.find()]
        if committed is None:
            assert left
            committed = DIED_AT
        await wait_for(effects, committed)
        async with asyncio.timeout(20):
            while await rig.database("producer").outbox.count_documents({}):  # noqa: ASYNC110 - a database
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
    counted = await numbers_of(effects)
    assert sorted(counted) == list(range(len(counted)))
    assert len(counted) >= committed
    assert set(counted.values()) == {1}


@pytest.mark.parametrize("point", ["in_handler", "before_ack"])
async def test_a_consumer_killed_at_any_point_has_each_effect_once(rig, point):
    """The next consumer gets what was not settled; the inbox knows what was done."""
    worker = rig.worker()
    effects = recording(rig, worker)
    await rig.open(worker)
    for number in range(COUNT):
        await rig.publish(read(number, f"c{number % 3}"))
    await die_at(rig, point, "consumer")
    assert await effects.count_documents({}) < COUNT
    async with rig.consuming(worker):
        await wait_for(effects, COUNT)
    counted = await numbers_of(effects)
    assert sorted(counted) == list(range(COUNT))
    assert set(counted.values()) == {1}
