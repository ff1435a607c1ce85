"""Each container is killed in turn under load, and nothing acknowledged is lost.

``make compose-kills`` runs it: it needs a container engine, builds what is not there
and takes some minutes, so its name keeps it out of `make test`.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.compose.cli import bring_up, wait_for_edge
from deploy.compose.installation import Installation, open_installation
from libs.kernel import new_id
from scripts.demo.client import Person
from scripts.demo.house import House, wait_for
from scripts.demo.places import containers
from tests.containers.engine import Engine
from tests.containers.errands import NOT_DONE, Errands
from tests.e2e.flow import Reader, Sender, check, history
from tests.support.compose_file import is_step, services

pytestmark = [pytest.mark.faults, pytest.mark.timeout(420)]

VICTIMS = sorted(
    name
    for name, service in services().items()
    if not is_step(service) and "profiles" not in service
)
PAUSE_SECONDS = 0.05
DEAD_SECONDS = 2.0
PATIENCE_SECONDS = 120.0
MESSAGES_ON_EITHER_SIDE = 20
OWN_ROOT = Path(".parley/compose-kills")
OWN = {"PARLEY_PROJECT": "parley-kills", "PARLEY_PORT_BASE": "20700"}


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """An installation of its own, thrown away with its volumes.

    ``PARLEY_COMPOSE_ROOT=<folder>`` uses one that runs, and leaves it.
    """
    if reused := os.environ.get("PARLEY_COMPOSE_ROOT"):
        yield open_installation(Path(reused), {})
        return
    known = open_installation(OWN_ROOT, dict(os.environ) | OWN)
    try:
        bring_up(known)
        yield known
    finally:
        Engine(known).throw_away()


@dataclass
class Load:
    """Everything that goes on while a container dies, and what came of it."""

    sender: Sender
    reader: Reader
    errands: Errands

    async def send(self) -> None:
        """Send messages until cancelled; each is repeated until it is acknowledged."""
        number = 0
        while True:
            number += 1
            key = new_id()
            self.sender.texts[key] = f"message number {number}"
            await self.sender.deliver(key)
            await asyncio.sleep(PAUSE_SECONDS)

    async def progress(self, when: str) -> None:
        """Wait until every kind of work has been acknowledged anew."""
        messages = len(self.sender.acked) + MESSAGES_ON_EITHER_SIDE
        done = self.errands.counts()

        def is_more() -> bool:
            now = self.errands.counts()
            is_each = all(now[kind] > done[kind] for kind in done)
            return is_each and len(self.sender.acked) >= messages

        await until(is_more, f"work {when}: {self.errands}")

    async def all_read(self) -> None:
        """Wait until the reader has what the sender was told is stored."""
        wanted = set(self.sender.acked.values())
        await until(lambda: wanted <= set(self.reader.seen), "everything at the reader")


@pytest.fixture
async def load(installation: Installation) -> AsyncIterator[Load]:
    """Two people with a group, at work."""
    house = containers(installation)
    async with contextlib.AsyncExitStack() as people:
        ada, grace = [
            await people.enter_async_context(await member(house, name))
            for name in ("Ada", "Grace")
        ]
        group = await open_group(ada, grace)
        yield Load(Sender(ada, group), Reader(grace, group), Errands(house, ada))


@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_kill_loses_nothing(installation, load, victim, tell) -> None:
    """Messages, projects, files and accounts that were acknowledged are there."""
    engine = Engine(installation)
    tasks = [asyncio.create_task(load.send()), asyncio.create_task(load.reader.run())]
    tasks += [asyncio.create_task(errand) for errand in load.errands.runs()]
    try:
        await load.progress("before the kill")
        killed_at = time.monotonic()
        await asyncio.to_thread(engine.kill, victim)
        await asyncio.sleep(DEAD_SECONDS)
        await asyncio.to_thread(engine.start, victim, PATIENCE_SECONDS)
        await asyncio.to_thread(wait_for_edge, installation)
        healthy = time.monotonic() - killed_at
        await load.progress(f"after {victim} came back")
        served = time.monotonic() - killed_at
        await stopped(tasks.pop(0))
        await load.all_read()
    finally:
        for task in tasks:
            await stopped(task)
    sender, reader = load.sender, load.reader
    stored = await history(sender.person, sender.conversation_id)
    lost = await load.errands.missing()
    tell(
        f"{victim}: healthy after {healthy:.1f} s, all work on after {served:.1f} s; "
        f"{len(sender.acked)} messages, {sender.repeats} repeats, {load.errands}"
    )
    assert lost == []
    assert check(sender, reader, [m for m in stored if m["client_message_id"]]) == {}
    assert engine.findings(sender.conversation_id) == {}


async def test_a_crash_is_mended_without_a_hand(installation, tell) -> None:
    """A process that dies is started again by the engine, its restart counted."""
    engine = Engine(installation)
    for victim in ("chat", "gateway", "mongodb"):
        began = time.monotonic()
        await asyncio.to_thread(engine.crash, victim, PATIENCE_SECONDS)
        tell(
            f"{victim}: healthy {time.monotonic() - began:.1f} s after its process died"
        )


async def member(house: House, name: str) -> Person:
    """Return somebody with a confirmed account who has signed in."""
    email = f"{name.lower()}-{new_id()}@example.org"
    words = ("a long enough password", name, house.ca_file)
    person = Person(house.edge_url, email, *words)
    await person.register()
    await person.verify(await house.verification_token(email, PATIENCE_SECONDS))
    await person.sign_in()
    return person


async def open_group(ada: Person, grace: Person) -> str:
    """Open a group of both, as soon as chat knows them."""
    body = {"kind": "group", "title": "Ours", "member_ids": [grace.user_id]}

    async def attempt() -> str | None:
        with contextlib.suppress(*NOT_DONE):
            group = await ada.call("POST", "conversations", body)
            return str(group["conversation_id"])
        return None

    return await wait_for(attempt, "the group", PATIENCE_SECONDS, 0.3)


async def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""

    async def look() -> bool:
        return is_so()

    await wait_for(look, what, PATIENCE_SECONDS)


async def stopped(task: "asyncio.Task[None]") -> None:
    """End a task of the load; one that failed by itself fails the test."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
