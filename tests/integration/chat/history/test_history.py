"""Twenty clients do random things on two processes while everything dies in turn."""

import asyncio
import contextlib
import os
import random
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.integration.chat.history.checker import History, judge
from tests.integration.chat.history.client import LOST, Client
from tests.integration.chat.history.nemesis import Nemesis
from tests.integration.chat.history.record import Record
from tests.integration.chat.history.truth import Issued, read_truth

SECONDS = float(os.environ.get("PARLEY_HISTORY_SECONDS", "8"))
SEED = int(
    os.environ.get("PARLEY_HISTORY_SEED", "0")
) or random.SystemRandom().randrange(2**32)
CLIENTS = 20
CONVERSATIONS = 3
CALM_SECONDS = 1.5

pytestmark = [
    pytest.mark.integration,
    pytest.mark.faults,
    pytest.mark.timeout(240 + 2 * SECONDS),
]


@dataclass
class Scene:
    """Everybody and everything of a run."""

    clients: list[Client]
    conversations: list[str]
    record: Record
    nemesis: Nemesis
    leaver: Client


@pytest.fixture
async def scene(people, open_group, processes, stack):
    """Open conversations of all clients, two processes to reach them by."""
    chance = random.Random(SEED)  # noqa: S311 - a run to be repeated
    members = await people(CLIENTS)
    conversations = [
        await open_group(members, f"Room {number}") for number in range(CONVERSATIONS)
    ]
    record = Record()
    clients = [
        Client(member, processes, conversations, record, _chance(chance))
        for member in members
    ]
    nemesis = Nemesis(stack, processes, chance)
    return Scene(clients, conversations, record, nemesis, clients[-1])


def _chance(parent: random.Random) -> random.Random:
    return random.Random(parent.random())  # noqa: S311 - a run to be repeated


async def test_no_fault_breaks_a_promise(scene, processes, stack) -> None:
    """Nothing acked is lost, doubled or reordered; every copy is the server's."""
    issued = Issued(stack.admin_amqp_url, f"history-{SEED}")
    async with issued.collecting():
        await _opened_again(scene)
        await _load(scene)
        await _heal(scene, processes)
        findings = {}
        for conversation_id in scene.conversations:
            history = await _history(scene, processes, issued, conversation_id)
            findings |= {
                (conversation_id, rule): broken
                for rule, broken in judge(history).items()
            }
    print(_summary(scene))  # noqa: T201 - a run's result is for people too
    assert findings == {}, f"seed {SEED}, faults {scene.nemesis.done}"


async def _opened_again(scene: Scene) -> None:
    """Every client begins in the state of the conversations as they are now."""
    await asyncio.gather(*(client.connect() for client in scene.clients))


async def _load(scene: Scene) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for client in scene.clients:
            tasks.create_task(client.run(stop))
        removing = tasks.create_task(_remove(scene))
        await scene.nemesis.run(SECONDS, CALM_SECONDS)
        await removing
        stop.set()


async def _remove(scene: Scene) -> None:
    """The first one, who owns the conversations, takes the last one out of one."""
    await asyncio.sleep(SECONDS / 3)
    conversation_id = scene.conversations[0]
    owner, leaver = scene.clients[0], scene.leaver
    removal = scene.record.begin(owner.name, "remove", conversation_id, leaver.name)
    leaver.conversations = scene.conversations[1:]
    while removal.step != "ok":
        path = f"/{conversation_id}/members/{leaver.name}"
        with contextlib.suppress(*LOST):
            status, answer = await owner._ask("DELETE", path)
            if status in (204, 404):  # 404: an unknown answer was a yes
                removal.end("ok", answer)
        await asyncio.sleep(0.1)


async def _heal(scene: Scene, processes) -> None:
    """All faults are over: everybody comes back and catches up."""
    await asyncio.gather(*(client.connect() for client in scene.clients))
    probe = scene.clients[0]
    await probe.send()
    for client in scene.clients:
        await client.catch_up()


async def _history(scene, processes, issued, conversation_id) -> History:
    members = [
        client.member
        for client in scene.clients
        if conversation_id in client.conversations
    ]
    truth = await read_truth(processes[0], members, conversation_id, issued)
    truth.issued.append((1, "created", "conversation"))  # before the queue was there
    replicas = {
        client.name: client.replicas[conversation_id] for client in scene.clients
    }
    return History(scene.record, truth, replicas)


def _summary(scene: Scene) -> str:
    operations = scene.record.operations
    steps = Counter(f"{one.kind} {one.step}" for one in operations)
    codes = (one.told.get("code") for one in operations if one.step == "fail")
    refused = dict(Counter(codes))
    counts = ", ".join(f"{key}: {count}" for key, count in sorted(steps.items()))
    reconnects = sum(client.reconnects for client in scene.clients)
    faults = dict(sorted(Counter(scene.nemesis.done).items()))
    return (
        f"seed {SEED}; {SECONDS:g} s; {counts}; refused: {refused}; "
        f"reconnects: {reconnects}; {faults}"
    )
