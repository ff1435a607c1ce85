"""Re-wrapping on the real server while messages are sent, and the commands."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from libs.chassis.mongo import open_mongo
from libs.crypto import DataKeys, FileKeyWrapper, KeyRing
from libs.kernel import SystemClock
from services.chat.repository.key_store import MongoDataKeyStore
from services.chat.service.key_rotation import KeyRotation
from tests.integration.chat.test_data_keys import Process
from tests.integration.chat.test_repositories import group
from tests.support.prefixed import Prefixed

pytestmark = pytest.mark.integration


@pytest.fixture
async def database(settings):
    """Collections that nobody else sees: a rotation is of all there are."""
    async with open_mongo(settings) as whole:
        own = Prefixed(whole)
        yield own
        await own.drop()


async def test_rotation_beside_writers(database) -> None:
    """Sends and reads go on, under both rings; then the old key is of no use (CR-4)."""
    ring = KeyRing.generate()
    rotated = ring.rotated()
    old, new = FileKeyWrapper(ring), FileKeyWrapper(rotated)
    behind, ahead = Process(database, old), Process(database, new)
    made = [group() for _ in range(30)]
    for conversation in made:
        await behind.conversations.insert(conversation, [], session=None)
    store = MongoDataKeyStore(database)
    rotation = KeyRotation(store, DataKeys(new), SystemClock())
    done = asyncio.Event()
    sent = []

    async def write() -> None:
        while not done.is_set():
            place = len(sent) % len(made)
            sent.append(await ahead.send(made[place].conversation_id))

    writing = asyncio.create_task(write())
    result = await rotation.rotate(lambda *_: None, keys_per_second=100)
    done.set()
    await writing
    assert (result.failed, result.left) == (0, 0)
    assert result.rewrapped >= 30
    census = await store.census()
    assert [(c.kek_id, c.conversations) for c in census] == [(rotated.current_id, 30)]
    cold = Process(database, FileKeyWrapper(rotated.without(ring.current_id)))
    for message in sent:
        found = await cold.messages.get(message.conversation_id, message.message_id)
        assert found == message
    titles = [
        (await cold.conversations.get(conversation.conversation_id)).title
        for conversation in made
    ]
    assert titles == ["Plans"] * 30


async def test_a_page_is_of_what_is_under_other_keys(database) -> None:
    """In the order of the conversations; shredded ones have none left."""
    ring = KeyRing.generate()
    process = Process(database, FileKeyWrapper(ring))
    made = sorted((group() for _ in range(3)), key=lambda c: c.conversation_id)
    for conversation in made:
        await process.conversations.insert(conversation, [], session=None)
    await process.conversations.shred(made[1].conversation_id, session=None)
    store = MongoDataKeyStore(database)
    page = await store.page("other", after="", limit=5)
    ids = [key.conversation_id for key in page]
    assert ids == [made[0].conversation_id, made[2].conversation_id]
    assert await store.page(ring.current_id, after="", limit=5) == []
    assert [
        k.conversation_id for k in await store.page("o", after=ids[0], limit=5)
    ] == [ids[1]]
    rewrapped = page[0].wrapped
    assert await store.replace(page[0], rewrapped) is False  # nothing modified
    now = SystemClock().now()
    assert await store.due(revisions=2**20, made_before=now) == 2
    await store.save_cursor("kek", "c")
    assert (await store.cursor("kek"), await store.cursor("new")) == ("c", "")


def test_the_commands_tell_and_change(stack) -> None:
    """Status and a dry run on the stack's own database; bad words are refused."""
    environment = os.environ | stack.service_environment("chat")

    def run(*words: str) -> tuple[int, dict]:
        done = subprocess.run(
            [sys.executable, "-m", "services.chat", *words],
            env=environment,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return done.returncode, json.loads(done.stdout or b"{}")

    code, status = run("migrate", "status")
    assert (code, status["is_current"]) == (0, True)
    code, status = run("keys", "status")
    assert status["current_kek_id"]
    assert code == (1 if status["keys_to_rewrap"] else 0)
    code, rehearsed = run("keys", "rotate", "--dry-run")
    assert (code, rehearsed["is_dry_run"]) == (1 if rehearsed["failed"] else 0, True)
    assert run("keys", "rotate", "--rate", "0") == (2, {})
    assert run("keys") == (2, {})
