"""Faults under load, with a real broker and database: lost 0, doubled 0, in order.

Each phase runs once; with ``PARLEY_FAULT_RUNS=30`` so often, counted in
``docs/faults-events.json``, where a run that was broken off goes on. A system is a
producer, a worker, their databases and a virtual host. Long runs have several beside
each other, each checked and counted as a run: one long outage meets all of them, and
where a fault is a process's own, each gets its own.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from pymongo.errors import AutoReconnect

from deploy.embedded.servers.rabbitmq import node_environment
from libs.events.errors import BrokerAwayError
from libs.events.rabbitmq.publisher import Publisher
from libs.events.topology.management import ManagementError
from tests.integration.events import actor
from tests.integration.events.silent_queues import silent_queues, start_again
from tests.support import fault_counts, total_queue

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(0)]

ROOT = Path(__file__).parents[3]
AWAY = "broker away"
AWAY_SECONDS = 60.0 if fault_counts.WANTED else 4.0
AT_ONCE = {
    AWAY: 6,
    "broker killed with -9": 1,
    "disk alarm": 1,
    "database steps down": 1,
}
OWN_AT_ONCE = 3
PAUSE_SECONDS = 0.01
LOAD_SECONDS = 0.7
STALLED_SECONDS = 60.0
MEMORY = ("set_vm_memory_high_watermark", "absolute", "512MB")  # as the stack has it
CTL = "/usr/lib/rabbitmq/bin/rabbitmqctl"

PRODUCER_POINTS = (
    "before_commit",
    "after_commit_before_publish",
    "after_publish_before_confirm",
    "after_confirm_before_delete",
)
WORKER_POINTS = ("in_handler_before_commit", "in_handler_after_commit", "before_ack")


class System:
    """A producer and a worker as processes, on a virtual host of their own."""

    def __init__(self, rig, stack):
        self.rig = rig
        self.stack = stack
        self.processes = []
        self.producer = None
        self.worker = None

    async def begin(self, pause_seconds):
        """Start both and wait until something has been committed."""
        self.worker = await self.start("worker")
        self.producer = await self.start("producer", pause_seconds=pause_seconds)
        await self.commits(20)

    async def come_to_rest(self):
        """Go on for a while after a fault, then stop the producer."""
        await self.commits(20)
        await asyncio.sleep(LOAD_SECONDS)
        await self.end(self.producer)

    async def start(self, role, point="none", pause_seconds=PAUSE_SECONDS):
        """Start one process."""
        service = "producer" if role == "producer" else "consumer"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            actor.__file__,
            role,
            point,
            str(pause_seconds),
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
        async with asyncio.timeout(180):
            while await rows.estimated_document_count() < wanted:  # noqa: ASYNC110 - a database
                await asyncio.sleep(0.05)


async def close_connections(systems):
    """The administrator closes every connection."""
    for system in systems:
        management = system.rig._management
        async with asyncio.timeout(20):
            while len(names := await system.rig._connections()) < 6:  # noqa: ASYNC110 - the API tells no event
                await asyncio.sleep(0.2)
        for name in names:
            with contextlib.suppress(ManagementError):  # it closed by itself
                path = f"connections/{quote(name, safe='')}"
                await management._call("DELETE", path)


async def kill_broker(systems):
    """The broker gets SIGKILL and is started again."""
    stack = systems[0].stack
    stack.kill("rabbitmq")
    await stack.until_ready("rabbitmq")


async def broker_away(systems):
    """The broker is stopped for a time, under load."""
    stack = systems[0].stack
    await asyncio.to_thread(stack.stop, "rabbitmq")
    await asyncio.sleep(AWAY_SECONDS)
    await asyncio.to_thread(stack.start, "rabbitmq")


async def disk_alarm(systems):
    """The broker blocks whoever publishes."""
    ctl = systems[0].ctl
    await asyncio.to_thread(ctl, "set_disk_free_limit", "100000GB")
    try:
        await asyncio.gather(*(system.commits(50) for system in systems))
        await asyncio.sleep(1)
    finally:
        await asyncio.to_thread(ctl, "set_disk_free_limit", "200MB")


async def step_down(systems):
    """The database's primary steps down and is elected again."""
    with contextlib.suppress(AutoReconnect):
        await systems[0].rig.client.admin.command(
            "replSetStepDown", 2, secondaryCatchUpPeriodSecs=0, force=True
        )


async def pause_producer(systems):
    """The relay sleeps past its heartbeat, is swept, and wakes up."""
    await pause([system.producer for system in systems])


async def pause_worker(systems):
    """The worker sleeps while events come."""
    await pause([system.worker for system in systems])


async def pause(processes):
    """Stop processes for longer than their lease."""
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(4)
    for process in processes:
        process.send_signal(signal.SIGCONT)


FAULTS = {
    "connections closed by force": close_connections,
    "broker killed with -9": kill_broker,
    AWAY: broker_away,
    "disk alarm": disk_alarm,
    "database steps down": step_down,
    "relay stopped and continued": pause_producer,
    "worker stopped and continued": pause_worker,
}


@pytest.fixture
async def systems(open_rigs, servers, request):
    """Room for systems, each on its virtual host with its topology."""
    if not servers.is_own:
        pytest.skip("the given servers are not ours to kill")
    stack = request.getfixturevalue("stack")
    made = []

    async def take(count):
        for rig in (await open_rigs(count))[len(made) :]:
            rig._workers["consumer"] = actor.declare(rig.worker("consumer"))
            await rig.apply()
            made.append(System(rig, stack))
        return made[:count]

    try:
        yield take
    finally:
        processes = [process for system in made for process in system.processes]
        for system in made:
            system.clear()
        for process in processes:
            await process.wait()


def rounds(phase):
    """Yield how many systems the next round has, while runs and time are left."""
    at_once = AT_ONCE.get(phase, OWN_AT_ONCE)
    while left := min(at_once, fault_counts.left(phase)):
        if not fault_counts.is_time_left(phase, left):
            pytest.skip(f"no time left for {phase}")
        yield left
        if not fault_counts.WANTED:
            return


@contextlib.asynccontextmanager
async def checked(systems, phase, tell):
    """Count what came of a fault in each system, tell it, and insist that it is good.

    A run that broke a promise is counted too.
    """
    started = time.monotonic()
    yield
    results = await asyncio.gather(*(result(system, tell) for system in systems))
    seconds = time.monotonic() - started
    faults = 1 if phase in AT_ONCE else len(results)
    fault_counts.add(phase, results, seconds, faults=faults)
    for one in results:
        tell(f"{fault_counts.progress(phase)}: {one} in {seconds:.1f} s")
    for one in results:
        assert one.acknowledged > 0
        assert one.is_good, one
    await asyncio.gather(*(forget(system.rig) for system in systems))


class StalledError(AssertionError):
    """Nothing came out for a long time although something is to come."""


async def come_out(system, tell):
    """Wait until everything has come out; a queue that is dead is told and raised.

    Such a queue is the broker's own fault, and starting the broker again the remedy.
    That nothing is lost, doubled or out of order is asked all the same.
    """
    producer = system.rig.database("producer")
    consumer = system.rig.database("consumer")
    try:
        await quiet(producer, consumer)
    except StalledError:
        silent = await silent_queues(system.rig)
        if not silent:
            raise
        tell(f"the broker is started again: no answer from {', '.join(silent)}")
        await start_again(system.stack)
        await quiet(producer, consumer)


async def quiet(producer, consumer):
    """Wait until everything has come out, however long that takes while it goes on."""
    before, since = None, time.monotonic()
    while True:
        committed, effects, ordered, outbox = [
            await rows.count_documents({})
            for rows in (
                producer.committed,
                consumer.effects,
                consumer.ordered,
                producer.outbox,
            )
        ]
        if min(effects, ordered) >= committed and not outbox:
            return
        if (state := (effects, ordered, outbox)) != before:
            before, since = state, time.monotonic()
        if time.monotonic() - since > STALLED_SECONDS:
            raise StalledError(f"{committed=} {effects=} {ordered=} {outbox=}")
        await asyncio.sleep(0.1)


async def result(system, tell):
    """Wait until everything has come out, and compare."""
    producer = system.rig.database("producer")
    consumer = system.rig.database("consumer")
    await come_out(system, tell)
    await asyncio.sleep(0.5)
    for process in system.processes:
        if process.returncode is None:
            await system.end(process)
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
    return total_queue.check(tried, sure, numbers) + total_queue.check(
        tried, sure, in_order, total_queue.grouped(ordered)
    )


async def forget(rig):
    """Forget a run's traces, for the next one on the same servers."""
    producer, consumer = rig.database("producer"), rig.database("consumer")
    for rows in (producer.attempted, producer.acknowledged, producer.committed):
        await rows.delete_many({})
    await consumer.effects.delete_many({})
    await consumer.ordered.delete_many({})


@pytest.mark.parametrize("phase", FAULTS)
async def test_a_fault_under_load_loses_doubles_and_reorders_nothing(
    systems, phase, tell
):
    """Commits go on through the fault; afterwards each has each effect once."""
    for count in rounds(phase):
        met = await systems(count)
        async with checked(met, phase, tell):
            pause_seconds = PAUSE_SECONDS * count  # the same load on the machine
            await asyncio.gather(*(system.begin(pause_seconds) for system in met))
            await FAULTS[phase](met)
            await asyncio.gather(*(system.come_to_rest() for system in met))


@pytest.mark.parametrize("point", PRODUCER_POINTS)
async def test_a_producer_killed_at_a_point(systems, point, tell):
    """What was committed comes out once; the next process goes on."""
    phase = f"producer killed with -9: {point.replace('_', ' ')}"

    async def kill(system):
        await system.start("worker")
        victim = await system.start("producer", point)
        assert await asyncio.wait_for(victim.wait(), 40) == -signal.SIGKILL
        producer = await system.start("producer")
        await system.commits(20)
        await system.end(producer)

    for count in rounds(phase):
        met = await systems(count)
        async with checked(met, phase, tell):
            await asyncio.gather(*(kill(system) for system in met))


@pytest.mark.parametrize("point", WORKER_POINTS)
async def test_a_worker_killed_at_a_point(systems, point, tell):
    """What it had not settled comes again; what it had done is not done again."""
    phase = f"worker killed with -9: {point.replace('_', ' ')}"

    async def kill(system):
        victim = await system.start("worker", point)
        producer = await system.start("producer")
        assert await asyncio.wait_for(victim.wait(), 40) == -signal.SIGKILL
        await system.start("worker")
        await system.commits(20)
        await system.end(producer)

    for count in rounds(phase):
        met = await systems(count)
        async with checked(met, phase, tell):
            await asyncio.gather(*(kill(system) for system in met))


async def test_a_blocked_connection_is_not_written_to(systems):
    """A memory alarm: what is tried meanwhile stays out of this process's buffers."""
    [system] = await systems(1)
    link = system.rig.bus._publish_link
    await link.wait_until_connected()
    publisher = Publisher(link, "producer", timedelta(seconds=0.2))

    async def publish():
        await publisher.publish(
            "message.events", "message.deleted", b"[]", event_type="", headers={}
        )

    await publish()
    channel = publisher._channels["message.events"]
    await asyncio.to_thread(system.ctl, "set_vm_memory_high_watermark", "0.0001")
    try:
        for _ in range(5):  # the first one is what the broker answers with its alarm
            with contextlib.suppress(BrokerAwayError):
                await publish()
        written = channel.delivery_tag
        for _ in range(5):
            with pytest.raises(BrokerAwayError):
                await publish()
        assert channel.delivery_tag == written
    finally:
        await asyncio.to_thread(system.ctl, *MEMORY)
    async with asyncio.timeout(10):
        await channel.connection.ready()
    await publish()
    assert not channel.is_closed
