"""The integrity check on the real server: a store spoilt in each way."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import msgspec
import pytest

from libs.chassis.mongo import open_mongo
from libs.crypto import DataKeys, FileKeyWrapper, KeyRing
from libs.kernel import MessageId, SystemClock, UserId, new_id
from services.chat.domain.message import Draft
from services.chat.domain.personal import Bookmark, SavedDraft
from services.chat.domain.scheduled import Scheduled
from services.chat.repository import (
    ConversationVault,
    MongoConversationRepository,
    MongoScheduledRepository,
    SenderMarkers,
)
from services.chat.repository.bookmarks import MongoBookmarkRepository
from services.chat.repository.drafts import MongoDraftRepository
from services.chat.repository.inspection import MongoInspectionStore
from services.chat.service.verification import Verification
from tests.integration.chat.test_data_keys import Process
from tests.integration.chat.test_repositories import group, member

OF_CONVERSATION = (
    "messages",
    "message_edits",
    "members",
    "drafts",
    "bookmarks",
    "scheduled_messages",
)
pytestmark = pytest.mark.integration
VERIFY = (sys.executable, "-m", "services.chat", "verify", "--conversation")


@pytest.fixture
async def database(settings):
    """Chat's database."""
    async with open_mongo(settings) as database:
        yield database


@pytest.fixture
async def stored(database, settings):
    """A group of one member with five messages."""
    ring = KeyRing.from_file(settings.storage_keys_file)
    process = Process(database, FileKeyWrapper(ring))
    conversation = group()
    people = [member(conversation, new_id())]
    await process.conversations.insert(conversation, people, session=None)
    for _ in range(5):
        await process.send(conversation.conversation_id)
    return conversation.conversation_id


async def checked(database, settings, conversation_id):
    """Return what a cold process finds."""
    ring = KeyRing.from_file(settings.storage_keys_file)
    vault = ConversationVault(DataKeys(FileKeyWrapper(ring)))
    verification = Verification(MongoInspectionStore(database, vault))
    return await verification.check_one(conversation_id)


async def spoil_gap(database, of) -> None:
    """Lose a message."""
    await database["messages"].delete_one({**of, "seq": 3})


async def spoil_end(database, of) -> None:
    """Lose the newest message."""
    await database["messages"].delete_one({**of, "seq": 5})


async def spoil_above(database, of) -> None:
    """Give a number that was never issued."""
    await database["messages"].update_one({**of, "seq": 5}, {"$set": {"seq": 9}})


async def spoil_body(database, of) -> None:
    """Put one body into another message."""
    other = await database["messages"].find_one({**of, "seq": 1})
    await database["messages"].update_one(
        {**of, "seq": 2}, {"$set": {"body": other["body"]}}
    )


async def spoil_body_key(database, of) -> None:
    """Name a data key that is not there."""
    await database["messages"].update_one({**of, "seq": 2}, {"$set": {"body.k": "no"}})


async def spoil_title(database, of) -> None:
    """Alter a title."""
    known = {"_id": of["conversation_id"]}
    await database["conversations"].update_one(known, {"$set": {"title.c": b"x" * 40}})


async def spoil_key(database, of) -> None:
    """Alter a wrapped data key."""
    known = {"_id": of["conversation_id"]}
    spoilt = {"$set": {"keys.0.wrapped": b"x" * 60}}
    await database["conversations"].update_one(known, spoilt)


async def spoil_revision(database, of) -> None:
    """Give a revision that was never issued."""
    await database["messages"].update_one({**of, "seq": 1}, {"$set": {"revision": 99}})


async def spoil_counter(database, of) -> None:
    """Move the counter alone."""
    known = {"_id": of["conversation_id"]}
    await database["conversations"].update_one(known, {"$inc": {"revision": 1}})


async def spoil_marker(database, of) -> None:
    """Read what was never sent."""
    await database["members"].update_one(of, {"$set": {"read_seq": 6}})


async def spoil_deletion(database, of) -> None:
    """Delete without shredding."""
    known = {"_id": of["conversation_id"]}
    await database["conversations"].update_one(known, {"$set": {"is_deleted": True}})


SPOILT = {
    spoil_gap: {"seq_missing"},
    spoil_end: {"seq_missing", "revision_not_stored"},
    spoil_above: {"seq_missing", "seq_above_last"},
    spoil_body: {"message_unreadable"},
    spoil_body_key: {"message_unreadable"},
    spoil_title: {"field_unreadable"},
    spoil_key: {"field_unreadable", "message_unreadable"},
    spoil_revision: {"revision_above_conversation"},
    spoil_counter: {"revision_not_stored"},
    spoil_marker: {"marker_out_of_range"},
    spoil_deletion: {"deleted_with_keys"},
}


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
async def test_each_damage_is_found(database, settings, stored, spoil) -> None:
    """Nothing before, and what it breaks after."""
    before = await checked(database, settings, stored)
    assert (dict(before.counts), before.messages) == ({}, 5)
    await spoil(database, {"conversation_id": stored})
    after = await checked(database, settings, stored)
    assert set(after.counts) == SPOILT[spoil]
    await remove(database, stored)


async def test_an_earlier_version_is_opened_too(database, settings, stored) -> None:
    """A message that was edited is whole only with what it said before."""
    ring = KeyRing.from_file(settings.storage_keys_file)
    process = Process(database, FileKeyWrapper(ring))
    page = await process.messages.page(stored, before=None, after=1, limit=1)
    edited = msgspec.structs.replace(page.messages[0], edit_count=1)
    await process.messages.replace(edited, session=None)
    assert (await checked(database, settings, stored)).is_whole
    known = await database["messages"].find_one({"_id": edited.message_id})
    version = {
        "conversation_id": stored,
        "message_id": edited.message_id,
        "number": 1,
        "body": {"k": known["body"]["k"], "c": b"x" * 40},
    }
    await database["message_edits"].insert_one(version)
    verdict = await checked(database, settings, stored)
    assert verdict.counts == {"message_unreadable": 1}
    await remove(database, stored)


async def test_what_is_a_users_own_is_opened_too(database, settings, stored) -> None:
    """Drafts, notes and scheduled messages; what was cleared has nothing to open."""
    ring = KeyRing.from_file(settings.storage_keys_file)
    vault = ConversationVault(DataKeys(FileKeyWrapper(ring)))
    ann, now = UserId(new_id()), SystemClock().now()
    drafts = MongoDraftRepository(database, vault)
    saved = SavedDraft(
        user_id=ann, conversation_id=stored, thread_seq=0, text="a", saved_at=now
    )
    cleared = msgspec.structs.replace(saved, thread_seq=1, text=None, is_cleared=True)
    note = Bookmark(
        user_id=ann,
        conversation_id=stored,
        message_id=MessageId(new_id()),
        seq=1,
        note="b",
        added_at=now,
    )
    planned = Scheduled(
        scheduled_id=new_id(),
        draft=Draft(
            conversation_id=stored, sender_id=ann, client_message_id=new_id(), text="c"
        ),
        due_at=now + timedelta(days=300),
    )
    await MongoConversationRepository(database, vault, SenderMarkers(database)).get(
        stored
    )  # learns the keys
    for draft in (saved, cleared):
        await drafts.put(draft, session=None)
    await MongoBookmarkRepository(database, vault).put(note, session=None)
    await MongoScheduledRepository(database, vault).add(planned)
    whole = await checked(database, settings, stored)
    assert (dict(whole.counts), whole.own_writings) == ({}, 3)
    of = {"conversation_id": stored, "body": {"$exists": True}}
    for name in ("drafts", "bookmarks", "scheduled_messages"):
        await database[name].update_one(of, {"$set": {"body.c": b"x" * 40}})
    verdict = await checked(database, settings, stored)
    assert verdict.counts == dict.fromkeys(
        ("draft_unreadable", "note_unreadable", "scheduled_unreadable"), 1
    )
    await remove(database, stored)


async def test_the_command_tells_by_its_exit_code(database, stack, stored) -> None:
    """0 and a clean verdict, 1 and the findings, 2 where there is nothing to check."""
    environment = os.environ | stack.service_environment("chat")

    def verify(conversation_id: str) -> tuple[int, str]:
        done = subprocess.run(
            [*VERIFY, conversation_id],
            env=environment,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout.decode()

    code, shown = verify(stored)
    assert (code, json.loads(shown)["is_whole"]) == (0, True)
    await spoil_gap(database, {"conversation_id": stored})
    code, shown = verify(stored)
    assert (code, json.loads(shown)["counts"]) == (1, {"seq_missing": 1})
    assert "text" not in shown
    await remove(database, stored)
    assert verify(new_id()) == (2, "")


async def remove(database, conversation_id: str) -> None:
    """Leave no damage behind: others check the whole store."""
    of = {"conversation_id": conversation_id}
    for name in OF_CONVERSATION:
        await database[name].delete_many(of)
    await database["conversations"].delete_one({"_id": conversation_id})
