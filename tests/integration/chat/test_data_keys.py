"""Data keys on the real server: renewed while two processes write."""

from datetime import timedelta

import pytest

from libs.chassis.mongo import open_mongo
from libs.crypto import DataKeys, FileKeyWrapper, KeyRing
from libs.kernel import SystemClock, UnavailableError, new_id
from services.chat.repository import (
    ConversationVault,
    MongoConversationRepository,
    MongoMessageRepository,
    MongoWriterStore,
    RenewalLimits,
    SenderMarkers,
)
from tests.integration.chat.test_repositories import append, group, message

pytestmark = pytest.mark.integration
CLOCK = SystemClock()
LIMITS = RenewalLimits(changes=10, age=timedelta(days=90))


class FallibleWrapper(FileKeyWrapper):
    """A key service that may be out of reach."""

    is_away = False

    async def wrap(self, key, context):
        """Wrap, unless away."""
        if self.is_away:
            raise UnavailableError("kms_unavailable", "away")
        return await super().wrap(key, context)


class Process:
    """What one chat process has of storage."""

    def __init__(self, database, wrapper) -> None:
        vault = ConversationVault(DataKeys(wrapper), limits=LIMITS)
        markers = SenderMarkers(database)
        self.conversations = MongoConversationRepository(database, vault, markers)
        self.messages = MongoMessageRepository(database, vault)
        self.writing = MongoWriterStore(database, vault, markers)

    async def send(self, conversation_id: str):
        """Append one message as the writer does."""
        states = await self.writing.load_states({conversation_id: []})
        known = states[conversation_id].conversation
        sent = message(known, new_id(), known.last_seq + 1)
        planned = [append(known, sent)]
        await self.writing.renew_keys(planned, CLOCK.now())
        await self.writing.append(planned, session=None)
        return sent


@pytest.fixture
async def database(settings):
    """Chat's database."""
    async with open_mongo(settings) as database:
        yield database


async def test_keys_change_by_count_and_nothing_is_lost(database, settings) -> None:
    """Two processes, 45 messages, a limit of 10 changes: no send fails (CR-1)."""
    wrapper = FileKeyWrapper(KeyRing.from_file(settings.storage_keys_file))
    one, two, cold = (Process(database, wrapper) for _ in range(3))
    stored = group()
    conversation_id = stored.conversation_id
    await one.conversations.insert(stored, [], session=None)
    sent = [await (one, two)[n % 2].send(conversation_id) for n in range(45)]
    known = await database["conversations"].find_one({"_id": conversation_id})
    assert len(known["keys"]) == 5
    assert known["key_id"] == known["keys"][-1]["id"]
    used = await database["messages"].distinct(
        "body.k", {"conversation_id": conversation_id}
    )
    assert set(used) == {key["id"] for key in known["keys"]}
    for process in (one, two, cold):
        page = await process.messages.page(
            conversation_id, before=None, after=0, limit=50
        )
        assert [m.text for m in page.messages] == [m.text for m in sent]


async def test_a_key_changes_by_age(database, settings) -> None:
    """A quiet conversation's key is replaced by the first message after its time."""
    wrapper = FileKeyWrapper(KeyRing.from_file(settings.storage_keys_file))
    old = group()
    conversation_id = old.conversation_id
    process = Process(database, wrapper)
    await process.conversations.insert(old, [], session=None)
    await process.send(conversation_id)
    await database["conversations"].update_one(
        {"_id": conversation_id},
        {"$set": {"keys.0.made_at": CLOCK.now() - timedelta(days=91)}},
    )
    later = Process(database, wrapper)
    sent = await later.send(conversation_id)
    known = await database["conversations"].find_one({"_id": conversation_id})
    assert len(known["keys"]) == 2
    assert await process.messages.get(conversation_id, sent.message_id) == sent


async def test_a_key_service_that_is_away_holds_no_message_up(
    database, settings
) -> None:
    """The old key goes on sealing: it is good for 2^32 texts."""
    wrapper = FallibleWrapper(KeyRing.from_file(settings.storage_keys_file))
    process = Process(database, wrapper)
    stored = group()
    await process.conversations.insert(stored, [], session=None)
    wrapper.is_away = True
    sent = [await process.send(stored.conversation_id) for _ in range(15)]
    known = await database["conversations"].find_one({"_id": stored.conversation_id})
    assert len(known["keys"]) == 1
    assert [m.seq for m in sent] == list(range(1, 16))
