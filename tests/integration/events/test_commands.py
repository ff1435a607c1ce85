"""The administrator's command line on real servers."""

import asyncio
import json
import sys
import types
from dataclasses import replace

import pytest

from libs.events import PermanentError, Retry
from libs.events.__main__ import main
from libs.events.catalog import ConversationRead, MessageDeleted
from libs.events.topology import build_topology
from libs.events.topology.diff import diff_topology
from tests.integration.events.conformance import deleted, read

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
    async with rig.consuming(worker):
        first, _ = await rig.publish(read(1), read(2))
        async with asyncio.timeout(10):
            while "       2  consumer.reads.dlq" not in capsys.readouterr().out:
                assert await command("dlq", "list") == 0
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
        assert await command("dlq", "drop", "consumer.reads", "--reason", "other") == 0
        assert "drop: 0" in capsys.readouterr().out
        assert await command("dlq", "drop", "consumer.reads") == 0
        assert "drop: 1" in capsys.readouterr().out
    assert seen["numbers"] == [1]


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
    url = f"{rig.servers.mongo_url}".replace("/?", f"/{rig.host}-producer?")
    joint = "&" if "?" in url else "?"
    monkeypatch.setenv("EVENTS_MONGO_URL", f"{url}{joint}authSource=admin")
    assert await command("outbox", "status") == 0
    assert "parked_keys 1" in capsys.readouterr().out
    assert await command("outbox", "requeue", "--dry-run") == 0
    assert await command("outbox", "requeue", "--type", "message.deleted") == 0
    assert "requeued 1" in capsys.readouterr().out


async def test_mistakes_are_told_in_a_line(command, capsys):
    """No traceback for an operator's slip."""
    assert await command("topology", "show", "--workers", "nowhere.at.all") == 2
    assert await command("topology", "show", "--workers", "json:dumps") == 2
    assert await command("dlq", "show") == 2
    assert "WorkerNotFoundError" in capsys.readouterr().err
