"""The administrator's command line on real servers."""

import asyncio
import json
import sys
import types
from datetime import timedelta

import pytest
from msgspec.structs import replace

from libs.events import PermanentError, Retry, metrics
from libs.events.__main__ import main
from libs.events.catalog import ConversationRead, MessageDeleted
from libs.events.topology import build_topology
from libs.events.topology.diff import diff_topology
from libs.events.tracing import Cause, caused_by
from tests.integration.events.conformance import deleted, read
from tests.support.firing import Watched, assert_fires

pytestmark = pytest.mark.integration


@pytest.fixture
def command(rig, monkeypatch):
    """Run the command line against the test's virtual host."""
    monkeypatch.setenv("EVENTS_ADMIN_AMQP_URL", rig.admin.amqp_url)
    monkeypatch.setenv("EVENTS_MANAGEMENT_URL", rig.admin.management_url)

    async def run(*arguments):
        return await asyncio.to_thread(main, list(arguments))

    return run


def failing(worker, seen):
    """Subscribe a handler that fails until it is told not to."""

    @worker.subscribe(
        ConversationRead, name="reads", retry=Retry(immediate=0, delays=())
    )
    async def on_read(event, context):
        if not seen["is_repaired"]:
            raise PermanentError("broken")
        seen["numbers"].append(event.read_seq)


async def test_dead_letters_are_listed_shown_replayed_and_dropped(rig, command, capsys):
    """An operator finds them, lets one go again and throws another away."""
    worker, seen = rig.worker(), {"is_repaired": False, "numbers": []}
    failing(worker, seen)
    watched = Watched("consumer")
    watched.look()
    async with rig.consuming(worker):
        first, _ = await rig.publish(read(1), read(2))
        async with asyncio.timeout(10):
            while "       2  consumer.reads.dlq" not in capsys.readouterr().out:
                assert await command("dlq", "list") == 0
        watched.look()
        assert await command("dlq", "show", "consumer.reads", "--limit", "1") == 0
        shown = json.loads(capsys.readouterr().out.splitlines()[0])
        assert shown["x-reason"] == "permanent"
        assert shown["x-error-text"] == "broken"
        assert "body" not in shown
        seen["is_repaired"] = True
        replay = ("dlq", "replay", "consumer.reads", "--event-id", first)
        assert await command(*replay, "--dry-run") == 0
        assert seen["numbers"] == []
        assert await command(*replay) == 0
        await rig.until(lambda: seen["numbers"] == [1])
        for none in (("--reason", "other"), ("--older-than", "1h"), ("--limit", "0")):
            assert await command("dlq", "drop", "consumer.reads", *none) == 0
            assert "drop: 0" in capsys.readouterr().out
        assert await command("dlq", "drop", "consumer.reads") == 0
        assert "drop: 1" in capsys.readouterr().out
    assert seen["numbers"] == [1]
    assert_fires("EventsDeadLettered", watched)


async def test_what_was_unroutable_is_named_and_replayed(rig, command, capsys):
    """An operator sees the types nobody took; who takes one by now gets it."""
    first = await rig.publish(read(1), deleted(1), read(2))
    async with asyncio.timeout(10):
        while "       3  unroutable" not in capsys.readouterr().out:
            assert await command("dlq", "list") == 0
    assert await command("dlq", "show", "unroutable") == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[3:] == [
        "show: 3 of unroutable",
        "       2  conversation.read",
        "       1  message.deleted",
    ]
    worker, seen = rig.worker(), {"is_repaired": True, "numbers": []}
    failing(worker, seen)
    async with rig.consuming(worker):
        replay = ("dlq", "replay", "unroutable", "--type", "conversation.read")
        assert await command(*replay) == 0
        await rig.until(lambda: len(seen["numbers"]) == 2)
    assert await command("dlq", "drop", "unroutable", "--event-id", first[1]) == 0
    assert "drop: 1 of unroutable" in capsys.readouterr().out


async def test_topology_is_applied_twice_and_compared(rig, command, monkeypatch):
    """The second time changes nothing; a stale binding goes; a difference is told."""
    worker = rig.worker()
    worker.subscribe(ConversationRead, MessageDeleted, name="reads")(None)
    await rig.open(worker)
    workers = [rig.producer, worker]
    assert await differences(rig, workers) == []
    worker.subscriptions.clear()
    worker.subscribe(ConversationRead, name="reads")(None)
    stale = "- binding message.events --message.deleted--> consumer.reads"
    assert await differences(rig, workers) == [stale]
    await rig.apply()
    assert await differences(rig, workers) == []
    await rig.delete_queue("consumer.reads.dlq")
    assert "+ queue consumer.reads.dlq" in await differences(rig, workers)
    module = types.ModuleType("sample_workers")
    module.worker = worker
    monkeypatch.setitem(sys.modules, "sample_workers", module)
    assert await command("topology", "diff", "--workers", "sample_workers") == 1
    assert await command("topology", "apply", "--workers", "sample_workers") == 1
    quiet = ("--workers", "sample_workers:worker", "--allow-missing-users")
    assert await command("topology", "apply", *quiet) == 0
    assert await command("topology", "show", *quiet[:2]) == 0


async def differences(rig, workers):
    """Compare without rights, whose accounts have other names in tests."""
    lines = await diff_topology(build_topology(workers), rig.admin)
    return [line for line in lines if " permission " not in line]


async def test_the_outbox_tells_its_backlog(rig, command, capsys, monkeypatch):
    """Rows, age, parked keys; requeue says how many it freed."""
    store = rig.bus._persistence.store
    async with rig.bus.transaction() as transaction:
        transaction.publish(deleted(1))
        row = transaction.rows[0]
        await rig.database("producer").outbox.insert_one(
            {"_id": row.id + "x", "t": row.type, "k": "k", "n": 1, "p": "gone"}
        )
    refused = replace(row, id=row.id + "x")
    await store.refuse([refused], "no", park_after=1)
    monkeypatch.setenv("EVENTS_MONGO_URL", rig.database_url("producer"))
    assert await command("outbox", "status") == 0
    shown = capsys.readouterr().out
    assert "parked_keys 1" in shown
    assert refused.id in shown
    assert await command("outbox", "requeue", "--dry-run") == 0
    assert f"would requeue 1: ['{refused.id}']" in capsys.readouterr().out
    for none in (
        ("--older-than", "2d"),
        ("--reason", "yes"),
        ("--limit", "0"),
        ("--event-id", row.id),
    ):
        assert await command("outbox", "requeue", *none) == 0
        assert "requeued 0" in capsys.readouterr().out
    some = ("--type", "message.deleted", "--reason", "no", "--limit", "5")
    assert await command("outbox", "requeue", *some) == 0
    assert "requeued 1" in capsys.readouterr().out


async def test_a_replay_keeps_id_and_trace_and_counts_anew(rig, command):
    """The event that comes back is the same; its attempts begin at one."""
    worker, seen, first = rig.worker(), [], []

    @worker.subscribe(
        ConversationRead, name="reads", retry=Retry(immediate=0, delays=("1s",))
    )
    async def on_read(event, context):
        if not first:
            raise ValueError
        seen.append(context)

    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    async with rig.consuming(worker):
        with caused_by(Cause("story", "request", trace)):
            (event_id,) = await rig.publish(read(1))
        await rig.until(lambda: metric(rig, "retries_exhausted"))
        first.append(1)
        async with asyncio.timeout(10):
            while not seen:
                assert await command("dlq", "replay", "consumer.reads") == 0
    (context,) = seen
    assert context.event_id == event_id
    assert context.traceparent == trace
    assert (context.correlation_id, context.causation_id) == ("story", "request")
    assert context.attempt == 1


def metric(rig, reason):
    """Read the counter of dead letters."""
    return metrics.dead_lettered.labels("consumer.reads", reason)._value.get()


async def test_blocked_keys_are_listed_and_released(rig, command, capsys, monkeypatch):
    """An operator sees why a key waits and lets it go on."""
    worker, seen = rig.worker(), []

    @worker.subscribe(
        MessageDeleted, name="ordered", is_ordered=True, gap_hold=timedelta(0)
    )
    async def on_deleted(event, context):
        seen.append(event.revision)

    monkeypatch.setenv("EVENTS_MONGO_URL", rig.database_url("consumer"))
    watched = Watched("consumer", pages=[(0, "")])
    async with rig.consuming(worker):
        await rig.publish(deleted(1))
        await rig.publish(deleted(3))
        await rig.parked(worker, "c", 1)
        await watched.until("events_ordered_blocked_keys", lambda keys: keys == 1)
        assert_fires("EventsKeyBlocked", watched)
        capsys.readouterr()
        assert await command("ordered", "list", "--subscription", "ordered") == 0
        shown = next(
            json.loads(line)
            for line in capsys.readouterr().out.splitlines()
            if line.startswith("{")
        )
        assert shown == {
            "subscription": "ordered",
            "key": "c",
            "reason": "gap",
            "last": 1,
            "parked": 1,
        }
        assert await command("ordered", "release", "--key", "other") == 0
        assert await command("ordered", "release", "--dry-run") == 0
        assert seen == [1]
        assert await command("ordered", "release") == 0
        await rig.until(lambda: seen == [1, 3])


async def test_mistakes_are_told_in_a_line(command, capsys):
    """No traceback for an operator's slip."""
    assert await command("topology", "show", "--workers", "nowhere.at.all") == 2
    assert await command("topology", "show", "--workers", "json:dumps") == 2
    assert await command("dlq", "show") == 2
    assert "WorkerNotFoundError" in capsys.readouterr().err
