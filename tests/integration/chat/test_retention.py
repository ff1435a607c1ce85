"""Retention on the real server, by its command."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest

from bench.chat.plans import SentQueries, examined, explain, stages_of
from libs.chassis.mongo import open_mongo
from libs.crypto import FileKeyWrapper, KeyRing
from libs.kernel import SystemClock, UserId, new_id
from services.chat.domain.errors import DuplicateMessageError
from services.chat.domain.message import MessageKind
from services.chat.domain.stub import stub_of
from services.chat.domain.user import User
from services.chat.ports import (
    ConversationRepository,
    EraserStore,
    MessageRepository,
    RetentionStore,
    UserRepository,
    WriterStore,
)
from services.chat.repository import MongoEraserStore, MongoUserRepository
from services.chat.repository.memory import (
    MemoryBans,
    MemoryConversations,
    MemoryEraser,
    MemoryInvites,
    MemoryMessages,
    MemoryUsers,
)
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
    sent = SentQueries()
    async with open_mongo(settings) as database:
        ring = KeyRing.from_file(settings.storage_keys_file)
        found = Process(database, FileKeyWrapper(ring))
        found.database, found.sent = database, sent
        yield found


@dataclass(kw_only=True)
class Stores:
    """What retention works on and with."""

    conversations: ConversationRepository
    writing: WriterStore
    messages: MessageRepository
    users: UserRepository
    retention: RetentionStore
    eraser: EraserStore


@pytest.fixture(params=["memory", "mongo"])
async def stores(request, process):
    """The adapters of each backend in turn."""
    if request.param == "memory":
        memory, users = MemoryConversations(), MemoryUsers()
        eraser = MemoryEraser(memory, MemoryInvites(), MemoryBans())
        return Stores(
            conversations=memory,
            writing=memory,
            messages=MemoryMessages(memory),
            users=users,
            retention=MemoryRetentionStore(memory, users),
            eraser=eraser,
        )
    return Stores(
        conversations=process.conversations,
        writing=process.writing,
        messages=process.messages,
        users=MongoUserRepository(process.database),
        retention=MongoRetentionStore(process.database),
        eraser=MongoEraserStore(process.database),
    )


async def test_old_messages_are_found_and_deleted(stores) -> None:
    """By time, in the order of seq, in batches; other conversations stay."""
    conversations, writing = stores.conversations, stores.writing
    retention = stores.retention
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
    assert await retention.forget_below(conversation_id, 3, limit=1) == 1
    assert await retention.forget_below(conversation_id, 3, limit=5) == 1
    assert await retention.forget_below(conversation_id, 3, limit=5) == 0
    assert await retention.forget_below(others[0].conversation_id, 1, limit=5) == 0
    before = min(c.conversation_id for c in (keeping, *others))[:13]
    some = await retention.conversations(is_all=False, after=before, limit=500)
    assert conversation_id in some
    assert not {c.conversation_id for c in others} & set(some)
    everyone = await retention.conversations(is_all=True, after=before, limit=5000)
    assert {c.conversation_id for c in (keeping, *others)} <= set(everyone)


async def test_a_stub_answers_its_sender_and_shows_nowhere(stores) -> None:
    """Found by what names it alone; none of the house, of one who is gone."""
    place = group()
    ann, gone = UserId(new_id()), UserId(new_id())
    await stores.conversations.insert(place, [], session=None)
    erased = User(user_id=gone, is_verified=True, is_deleted=True)
    await stores.users.put(erased, session=None)
    sent = [
        message(place, ann, 1, mentions=(gone,)),
        msgspec.structs.replace(
            message(place, ann, 2), kind=MessageKind.SYSTEM, text=None
        ),
        message(place, gone, 3),
        message(place, ann, 4),
    ]
    await stores.writing.append([append(place, *sent)], session=None)
    place_id, first = place.conversation_id, sent[0]
    assert await stores.retention.forget_below(place_id, 4, limit=9) == 3
    keys = [(place_id, one.sender_id, one.client_message_id) for one in sent]
    wanted = {keys[0]: stub_of(first), keys[3]: sent[3]}
    assert await stores.writing.find_sent(keys) == wanted
    assert await stores.messages.find_sent(*keys[0]) == stub_of(first)
    messages = stores.messages
    assert await messages.get(place_id, first.message_id) is None
    assert await messages.get_by_seq(place_id, 1) is None
    assert await messages.get_many([one.message_id for one in sent]) == [sent[3]]
    page = await messages.page(place_id, before=None, after=None, limit=9)
    assert page.messages == (sent[3],)
    changed = await messages.changed(place_id, since=0, limit=9)
    assert changed.messages == (sent[3],)
    repeated = message(place, ann, 5, client_message_id=first.client_message_id)
    now = await stores.conversations.get(place_id)
    with pytest.raises(DuplicateMessageError):
        await stores.writing.append([append(now, repeated)], session=None)
    assert await stores.eraser.purge_stubs(gone, place_id, limit=9) == 0
    assert await stores.eraser.purge_stubs(ann, place_id, limit=9) == 1
    assert await stores.writing.find_sent(keys) == {keys[3]: sent[3]}


async def test_a_stub_is_in_nobodys_way(process) -> None:
    """A send is written without a look for it, and a catch-up does not meet it.

    A resend is one key away.
    """
    place = group()
    place_id = place.conversation_id
    await process.conversations.insert(place, [], session=None)
    first = await process.send(place_id)
    await MongoRetentionStore(process.database).forget_below(place_id, 2, limit=9)
    stored = await process.database["messages"].find_one({"_id": first.message_id})
    assert stored == {
        "_id": first.message_id,
        "conversation_id": place_id,
        "sender_id": first.sender_id,
        "client_message_id": first.client_message_id,
        "seq": -1,
        "revision": -2,
        "sent_at": stored["sent_at"],
    }
    known = await process.conversations.get(place_id)
    planned = [append(known, message(known, new_id(), 2))]
    with process.sent.listening() as commands:
        await process.writing.append(planned, session=None)
    assert commands == []
    key = (place_id, first.sender_id, first.client_message_id)
    with process.sent.listening() as commands:
        assert await process.writing.find_sent([key]) == {key: stub_of(first)}
    plan = await explain(process.database, commands[0])
    index = "conversation_id_1_sender_id_1_client_message_id_1"
    assert any(stage == f"IXSCAN {index}" for stage in stages_of(plan))
    assert examined(plan) == (1, 1)
    with process.sent.listening() as commands:
        changed = await process.messages.changed(place_id, since=0, limit=9)
    assert [one.seq for one in changed.messages] == [2]
    asked = next(one for one in commands if one["find"] == "messages")
    assert examined(await explain(process.database, asked)) == (1, 1)


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
    assert (dict(verdict.counts), verdict.messages, verdict.stubs) == ({}, 1, 3)
