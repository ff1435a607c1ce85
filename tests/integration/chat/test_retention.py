"""Retention on the real server, by its command."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import msgspec
import pytest

from libs.chassis.mongo import open_mongo
from libs.crypto import FileKeyWrapper, KeyRing
from libs.kernel import SystemClock, new_id
from services.chat.repository.memory import MemoryConversations
from services.chat.repository.memory.retention import MemoryRetentionStore
from services.chat.repository.retention import MongoRetentionStore
from tests.integration.chat.test_data_keys import Process
from tests.integration.chat.test_repositories import append, group, member, message
from tests.integration.chat.test_verification import checked

pytestmark = pytest.mark.integration
CLOCK = SystemClock()


@pytest.fixture
async def process(settings):
    """A process of chat's storage."""
    async with open_mongo(settings) as database:
        ring = KeyRing.from_file(settings.storage_keys_file)
        found = Process(database, FileKeyWrapper(ring))
        found.database = database
        yield found


@pytest.fixture(params=["memory", "mongo"])
async def stores(request, process):
    """Conversations, writing and retention of each backend in turn."""
    if request.param == "memory":
        memory = MemoryConversations()
        return memory, memory, MemoryRetentionStore(memory)
    retention = MongoRetentionStore(process.database)
    return process.conversations, process.writing, retention


async def test_old_messages_are_found_and_deleted(stores) -> None:
    """By time, in the order of seq, in batches; other conversations stay."""
    conversations, writing, retention = stores
    keeping = group(retention_days=3)
    others = [group(), group()]
    now = CLOCK.now()
    for conversation in (keeping, *others):
        await conversations.insert(conversation, [], session=None)
        sent = [
            msgspec.structs.replace(
                message(conversation, new_id(), seq), sent_at=now - timedelta(days=age)
            )
            for seq, age in enumerate((5, 4, 2, 6, 1), start=1)
        ]
        await writing.append([append(conversation, *sent)], session=None)
    conversation_id = keeping.conversation_id

    async def first_kept(days: int, first_seq: int = 1) -> int:
        return await retention.first_kept(
            conversation_id,
            first_seq=first_seq,
            last_seq=5,
            sent_from=now - timedelta(days=days),
        )

    assert await first_kept(9) == 1
    assert await first_kept(3) == 3  # never beyond one that is kept: seq is contiguous
    assert await first_kept(3, first_seq=4) == 5
    assert await first_kept(0) == 6
    assert await retention.delete_below(conversation_id, 3, limit=1) == 1
    assert await retention.delete_below(conversation_id, 3, limit=5) == 1
    assert await retention.delete_below(conversation_id, 3, limit=5) == 0
    assert await retention.delete_below(others[0].conversation_id, 1, limit=5) == 0
    before = min(c.conversation_id for c in (keeping, *others))[:13]
    some = await retention.conversations(is_all=False, after=before, limit=500)
    assert conversation_id in some
    assert not {c.conversation_id for c in others} & set(some)
    everyone = await retention.conversations(is_all=True, after=before, limit=5000)
    assert {c.conversation_id for c in (keeping, *others)} <= set(everyone)


async def test_the_command_forgets_and_leaves_a_whole_store(
    process, settings, stack
) -> None:
    """Rehearsed, done, and announced with the next revision."""
    keeping = group(retention_days=1)
    people = [member(keeping, new_id())]
    await process.conversations.insert(keeping, people, session=None)
    conversation_id = keeping.conversation_id
    sent = [await process.send(conversation_id) for _ in range(4)]
    await process.database["messages"].update_many(
        {"conversation_id": conversation_id, "seq": {"$lte": 3}},
        {"$set": {"sent_at": CLOCK.now() - timedelta(days=2)}},
    )
    environment = os.environ | stack.service_environment("chat")

    def run(*words: str) -> dict:
        done = subprocess.run(
            [sys.executable, "-m", "services.chat", "retention", "run", *words],
            env=environment,
            capture_output=True,
            check=True,
            timeout=60,
        )
        return json.loads(done.stdout)

    assert run("--dry-run")["messages"] >= 3
    assert (await process.conversations.get(conversation_id)).first_seq == 1
    assert run()["messages"] >= 3
    after = await process.conversations.get(conversation_id)
    assert (after.first_seq, after.last_seq, after.revision) == (4, 4, 6)
    page = await process.messages.page(conversation_id, before=None, after=0, limit=9)
    assert page.messages == (sent[3],)
    verdict = await checked(process.database, settings, conversation_id)
    assert (dict(verdict.counts), verdict.messages) == ({}, 1)
