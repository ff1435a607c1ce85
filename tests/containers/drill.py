"""An installation by Compose is lost, volumes and keys, and comes back.

``make compose-drill`` runs it: it needs a container engine and takes minutes, so its
name keeps it out of `make test`.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.compose.cli import main
from deploy.compose.installation import Installation, open_installation
from libs.kernel import SystemClock
from scripts.demo.client import Person
from scripts.demo.places import containers
from tests.containers.engine import Engine
from tests.containers.errands import Errands, Phone
from tests.containers.people import member, open_group
from tests.e2e.flow import Reader, Sender, check, history
from tests.e2e.restoring import status_of

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]

OWN_ROOT = Path(".parley/compose-drill")
OWN = {"PARLEY_PROJECT": "parley-drill", "PARLEY_PORT_BASE": "20800"}
MESSAGES = 100
AFTERWARDS = 5


@pytest.fixture
def lost() -> Iterator[Installation]:
    """An installation of the drill's own, recorded, not yet up."""
    known = open_installation(OWN_ROOT, dict(os.environ) | OWN)
    known.record()
    yield known
    Engine(known).throw_away()
    shutil.rmtree(known.root, ignore_errors=True)


async def test_a_lost_installation_comes_back(lost, tmp_path, tell) -> None:
    """At a moment between two backups: what was acknowledged by then, nothing after."""
    backups, keys = str(tmp_path / "backups"), str(tmp_path / "keys")
    await run(lost, "up")
    house = containers(lost)
    async with await member(house, "Ada") as ada, await member(house, "Grace") as grace:
        group = await open_group(ada, grace)
        errands = Errands(house, ada, Phone("nobody's", group))
        await errands.once()
        sender, reader = Sender(ada, group), Reader(grace, group)
        await ada.come_online(group)
        sending = asyncio.create_task(sender.run(MESSAGES, 0.05))
        taken = await run(lost, "backup", backups, "--keys", keys)
        await sending
        await reader.sync()
        then = await moment_that_is_over()
        await Sender(ada, group).run(AFTERWARDS, 0)
        added = await run(lost, "segment", backups)
        await asyncio.gather(ada.go_away(), grace.go_away())
        await asyncio.to_thread(Engine(lost).throw_away)
        shutil.rmtree(lost.root)
        words = ("--keys", keys, "--at", then)
        restored = await run(lost, "restore", backups, *words)
        served = await run(lost, "up")
        tell(
            f"backup {taken} s, segment {added} s, restore {restored} s, up {served} s"
        )
        assert await refused(ada)
        await asyncio.gather(ada.sign_in(), grace.sign_in())
        assert check(sender, reader, await history(ada, group)) == {}
        assert len(sender.acked) == MESSAGES
        assert await errands.missing() == []
        assert Engine(lost).findings(group) == {}
        await ada.come_online(group)
        await Sender(ada, group).run(AFTERWARDS, 0)


async def run(installation: Installation, *words: str) -> int:
    """Run a command as `make` does; return the seconds that it took."""
    began = time.monotonic()
    arguments = ["--root", str(installation.root), *words]
    assert await asyncio.to_thread(main, arguments) == 0
    return round(time.monotonic() - began)


async def moment_that_is_over() -> str:
    """Return this second, as `--at` takes it, after its end."""
    now = SystemClock().now()
    await asyncio.sleep(1 - now.microsecond / 1e6)
    return f"{datetime.fromtimestamp(int(now.timestamp()), UTC):%Y-%m-%dT%H:%M:%SZ}"


async def refused(person: Person) -> bool:
    """Tell whether nothing that somebody held before opens anything."""
    body = {"refresh_token": person.refresh_token}
    answers = [
        await status_of(person, "GET", "me"),
        await status_of(person, "POST", "auth/refresh", **body),
    ]
    return answers == [401, 401]
