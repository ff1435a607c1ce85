"""Each container is killed and crashes under load; nothing acknowledged is lost.

Killed as `docker kill` does, it is dead until a hand starts it. In a crash its process
dies, and its restart policy alone has to bring it back.

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
from scripts.demo.house import wait_for
from scripts.demo.places import containers
from tests.containers.engine import Engine
from tests.containers.errands import Errands, Phone
from tests.containers.people import PATIENCE_SECONDS, member, open_group
from tests.e2e.flow import Reader, Sender, check, history
from tests.support.compose_file import is_step, services

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

VICTIMS = sorted(
    name
    for name, service in services().items()
    if not is_step(service) and "profiles" not in service
)
PAUSE_SECONDS = 0.05
DEAD_SECONDS = 2.0
MESSAGES_ON_EITHER_SIDE = 20
OWN_ROOT = Path(".parley/compose-kills")
OWN = {"PARLEY_PROJECT": "parley-kills", "PARLEY_PORT_BASE": "20700"}
_HEADING = (
    "| dies | killed: healthy after s | all work on after s | crashed: healthy after s "
    "| all work on after s | messages | projects | files | accounts | pushes |"
)


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


@pytest.fixture(scope="module")
def heading() -> list[str]:
    """Lines above the table's first row, taken by whoever writes it."""
    return [_HEADING, "|" + "---|" * _HEADING.count(" | ") + "---|"]


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


@dataclass(frozen=True)
class Times:
    """How long an outage lasted, in seconds.

    Attributes:
        healthy: Until the container was well and the site answered.
        served: Until every kind of work had been acknowledged anew.
    """

    healthy: float
    served: float

    def __str__(self) -> str:
        """Return two cells of the table."""
        return f"{self.healthy:.1f} | {self.served:.1f}"


@pytest.fixture
async def load(installation: Installation) -> AsyncIterator[Load]:
    """Two people with a group, at work, and a third whose phone rings."""
    house = containers(installation)
    async with contextlib.AsyncExitStack() as people:
        ada, grace, edith = [
            await people.enter_async_context(await member(house, name))
            for name in ("Ada", "Grace", "Edith")
        ]
        phone = Phone(f"phone-{new_id()}", await open_group(ada, edith))
        device = {"token": phone.token, "platform": "android", "name": "Phone"}
        await edith.call("POST", "devices", device)
        group = await open_group(ada, grace)
        errands = Errands(house, ada, phone)
        yield Load(Sender(ada, group), Reader(grace, group), errands)


@pytest.mark.parametrize("victim", VICTIMS)
async def test_no_death_loses_anything(
    installation, load, victim, heading, tell
) -> None:
    """What was acknowledged before, between and after two deaths is there."""
    engine = Engine(installation)
    tasks = [asyncio.create_task(load.send()), asyncio.create_task(load.reader.run())]
    tasks += [asyncio.create_task(errand) for errand in load.errands.runs()]

    def killed() -> None:
        engine.kill(victim)
        time.sleep(DEAD_SECONDS)
        engine.start(victim, PATIENCE_SECONDS)

    def crashed() -> None:
        engine.crash(victim, PATIENCE_SECONDS)

    try:
        await load.progress("at first")
        by_hand = await outage(installation, load, killed)
        by_itself = await outage(installation, load, crashed)
        await stopped(tasks.pop(0))
        await load.all_read()
    finally:
        for task in tasks:
            await stopped(task)
    sender, reader = load.sender, load.reader
    stored = await history(sender.person, sender.conversation_id)
    lost = await load.errands.missing()
    counts = " | ".join(str(n) for n in load.errands.counts().values())
    while heading:
        tell(heading.pop(0))
    tell(f"| {victim} | {by_hand} | {by_itself} | {len(sender.acked)} | {counts} |")
    assert lost == []
    assert check(sender, reader, [m for m in stored if m["client_message_id"]]) == {}
    assert engine.findings(sender.conversation_id) == {}


async def outage(
    installation: Installation, load: Load, death: Callable[[], None]
) -> Times:
    """Let a container die and come back, until all work goes on."""
    began = time.monotonic()
    await asyncio.to_thread(death)
    await asyncio.to_thread(wait_for_edge, installation)
    healthy = time.monotonic() - began
    await load.progress("after it came back")
    return Times(healthy, time.monotonic() - began)


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
