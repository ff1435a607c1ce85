"""Faults under load, with a real broker and database: lost 0, doubled 0, in order.

Each phase runs once; with ``PARLEY_FAULT_RUNS=30`` so often, counted in
``docs/faults-events.json``, where a run that was broken off goes on.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from pymongo.errors import AutoReconnect

from deploy.embedded.servers.rabbitmq import node_environment
from libs.events.topology.management import ManagementError
from tests.integration.events import actor, checker, counts

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(0)]

ROOT = Path(__file__).parents[3]
AWAY_SECONDS = 60.0 if counts.WANTED else 4.0
LOAD_SECONDS = 0.7
QUIET_SECONDS = 90.0
CTL = "/usr/lib/rabbitmq/bin/rabbitmqctl"

PRODUCER_POINTS = (
    "before_commit",
    "after_commit_before_publish",
    "after_publish_before_confirm",
    "after_confirm_before_delete",
)
WORKER_POINTS = ("in_handler_before_commit", "in_handler_after_commit", "before_ack")


class Actors:
    """A producer and a worker as processes."""

    def __init__(self, rig, stack):
        self.rig = rig
        self.stack = stack
        self.processes = []

    async def start(self, role, point="none"):
        """Start one."""
        service = "producer" if role == "producer" else "consumer"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            actor.__file__,
            role,
            point,
            self.rig.servers.mongo_url,
            self.rig.settings(service).amqp_url,
            self.rig.database("producer").name,
            self.rig.database("consumer").name,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    async def end(self, process):
        """Stop one in good order; it drains and exits with 0."""
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 40) == 0

    def clear(self):
        """Kill what is left."""
        for process in self.processes:
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.kill()

    def ctl(self, *words):
        """Run rabbitmqctl on the stack's node."""
        environment = os.environ | node_environment(self.stack.stack)
        subprocess.run(
            [CTL, *words], env=environment, check=True, capture_output=True, timeout=60
        )

    async def commits(self, count):
        """Wait until so many more commits were acknowledged."""
        rows = self.rig.database("producer").acknowledged
        wanted = await rows.estimated_document_count() + count
        async with asyncio.timeout(60):
            while await rows.estimated_document_count() < wanted:  # noqa: ASYNC110 - a database
                await asyncio.sleep(0.05)


async def close_connections(actors, producer, worker):
    """The administrator closes every connection."""
    management = actors.rig._management
    async with asyncio.timeout(20):
        while len(names := await actors.rig._connections()) < 6:  # noqa: ASYNC110 - the API tells no event
            await asyncio.sleep(0.2)
    for name in names:
        with contextlib.suppress(ManagementError):  # it closed by itself
            path = f"connections/{quote(name, safe='')}"
            await management._call("DELETE", path)


async def kill_broker(actors, producer, worker):
    """The broker gets SIGKILL and is started again."""
    actors.stack.kill("rabbitmq")
    await actors.stack.until_ready("rabbitmq")


async def broker_away(actors, producer, worker):
    """The broker is stopped for a time, under load."""
    await asyncio.to_thread(actors.stack.stop, "rabbitmq")
    await asyncio.sleep(AWAY_SECONDS)
    await asyncio.to_thread(actors.stack.start, "rabbitmq")


async def disk_alarm(actors, producer, worker):
    """The broker blocks whoever publishes."""
    await asyncio.to_thread(actors.ctl, "set_disk_free_limit", "100000GB")
    try:
        await actors.commits(50)
        await asyncio.sleep(1)
    finally:
        await asyncio.to_thread(actors.ctl, "set_disk_free_limit", "200MB")


async def step_down(actors, producer, worker):
    """The database's primary steps down and is elected again."""
    with contextlib.suppress(AutoReconnect):
        await actors.rig.client.admin.command(
            "replSetStepDown", 2, secondaryCatchUpPeriodSecs=0, force=True
        )


async def pause_producer(actors, producer, worker):
    """The relay sleeps past its heartbeat, is swept, and wakes up."""
    await pause(producer)


async def pause_worker(actors, producer, worker):
    """The worker sleeps while events come."""
    await pause(worker)


async def pause(process):
    """Stop a process for longer than its lease."""
    process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(4)
    process.send_signal(signal.SIGCONT)


FAULTS = {
    "connections closed by force": close_connections,
    "broker killed with -9": kill_broker,
    "broker away": broker_away,
    "disk alarm": disk_alarm,
    "database steps down": step_down,
    "relay stopped and continued": pause_producer,
    "worker stopped and continued": pause_worker,
}


@pytest.fixture
async def actors(rig, servers, request):
    """Room for actors on the test's virtual host, with its topology."""
    if not servers.is_own:
        pytest.skip("the given servers are not ours to kill")
    worker = actor.declare(rig.worker("consumer"))
    rig._workers["consumer"] = worker
    await rig.apply()
    actors = Actors(rig, request.getfixturevalue("stack"))
    try:
        yield actors
    finally:
        actors.clear()
        for process in actors.processes:
            await process.wait()


@contextlib.asynccontextmanager
async def counted(actors, phase):
    """Check what came of a run, print it and count it."""
    started = time.monotonic()
    yield
    checked = await result(actors)
    seconds = time.monotonic() - started
    print(f"{phase}: {checked} in {seconds:.1f} s")  # noqa: T201 - the checker's word
    assert checked.acknowledged > 0
    assert checked.is_good, checked
    counts.add(phase, checked, seconds)


async def result(actors):
    """Wait until everything has come out, and compare."""
    producer = actors.rig.database("producer")
    consumer = actors.rig.database("consumer")
    async with asyncio.timeout(QUIET_SECONDS):
        while True:
            count = await producer.committed.count_documents({})
            if (
                await consumer.effects.count_documents({}) >= count
                and await consumer.ordered.count_documents({}) >= count
                and not await producer.outbox.count_documents({})
            ):
                break
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)
    for process in actors.processes:
        if process.returncode is None:
            await actors.end(process)
    tried = [row["_id"] async for row in producer.attempted.find()]
    sure = [row["_id"] async for row in producer.acknowledged.find()]
    numbers = [row["number"] async for row in consumer.effects.find()]
    committed = {
        (row["key"], row["revision"]): row["_id"]
        async for row in producer.committed.find()
    }
    placed = consumer.ordered.find().sort([("key", 1), ("place", 1)])
    ordered = [(row["key"], row["number"]) async for row in placed]
    in_order = [committed.get(one, one) for one in ordered]
    return checker.check(tried, sure, numbers) + checker.check(
        tried, sure, in_order, checker.grouped(ordered)
    )


async def again(rig):
    """Forget a run's traces, for the next one on the same servers."""
    producer, consumer = rig.database("producer"), rig.database("consumer")
    for rows in (producer.attempted, producer.acknowledged, producer.committed):
        await rows.delete_many({})
    await consumer.effects.delete_many({})
    await consumer.ordered.delete_many({})


@pytest.mark.parametrize("phase", FAULTS)
async def test_a_fault_under_load_loses_doubles_and_reorders_nothing(actors, phase):
    """Commits go on through the fault; afterwards each has each effect once."""
    for _ in range(counts.left(phase)):
        async with counted(actors, phase):
            worker = await actors.start("worker")
            producer = await actors.start("producer")
            await actors.commits(20)
            await FAULTS[phase](actors, producer, worker)
            await actors.commits(20)
            await asyncio.sleep(LOAD_SECONDS)
            await actors.end(producer)
        await again(actors.rig)


@pytest.mark.parametrize("point", PRODUCER_POINTS)
async def test_a_producer_killed_at_a_point(actors, point):
    """What was committed comes out once; the next process goes on."""
    phase = f"producer killed with -9: {point.replace('_', ' ')}"
    for _ in range(counts.left(phase)):
        async with counted(actors, phase):
            await actors.start("worker")
            victim = await actors.start("producer", point)
            assert await asyncio.wait_for(victim.wait(), 40) == -signal.SIGKILL
            producer = await actors.start("producer")
            await actors.commits(20)
            await actors.end(producer)
        await again(actors.rig)


@pytest.mark.parametrize("point", WORKER_POINTS)
async def test_a_worker_killed_at_a_point(actors, point):
    """What it had not settled comes again; what it had done is not done again."""
    phase = f"worker killed with -9: {point.replace('_', ' ')}"
    for _ in range(counts.left(phase)):
        async with counted(actors, phase):
            victim = await actors.start("worker", point)
            producer = await actors.start("producer")
            assert await asyncio.wait_for(victim.wait(), 40) == -signal.SIGKILL
            await actors.start("worker")
            await actors.commits(20)
            await actors.end(producer)
        await again(actors.rig)
