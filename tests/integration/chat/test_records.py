"""Invites, jobs, public channels and tombstones, on memory and on MongoDB."""

import asyncio
from datetime import timedelta
from functools import partial

import msgspec
import pytest

from libs.chassis.mongo import open_mongo
from libs.kernel import ProjectId, SystemClock, new_id
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Role,
    joined,
)
from services.chat.domain.errors import StaleConversationError
from services.chat.domain.invite import Invite
from services.chat.domain.job import Job, JobKind
from services.chat.domain.message import Message, MessageKind
from services.chat.domain.notice import Notice, NoticeType
from services.chat.operations.opening import open_vault
from services.chat.ports import Append
from services.chat.repository import (
    MongoConversationRepository,
    MongoEraserStore,
    MongoInviteRepository,
    MongoJobStore,
    MongoMessageRepository,
    MongoWriterStore,
    SenderMarkers,
)
from services.chat.repository.memory import (
    MemoryBans,
    MemoryConversations,
    MemoryEraser,
    MemoryInvites,
    MemoryJobs,
    MemoryMessages,
)

pytestmark = pytest.mark.integration
CLOCK = SystemClock()
LEASE = timedelta(seconds=30)


class Storage:
    """The adapters of one backend."""

    def __init__(
        self, conversations, messages, writing, *, invites, jobs, eraser
    ) -> None:
        self.conversations = conversations
        self.messages = messages
        self.writing = writing
        self.invites = invites
        self.jobs = jobs
        self.eraser = eraser


@pytest.fixture(params=["memory", "mongo"])
async def storage(request, settings):
    """Each backend in turn."""
    if request.param == "memory":
        store, invites = MemoryConversations(), MemoryInvites()
        eraser = MemoryEraser(store, invites, MemoryBans())
        yield Storage(
            store,
            MemoryMessages(store),
            store,
            invites=invites,
            jobs=MemoryJobs(),
            eraser=eraser,
        )
        return
    async with open_vault(settings) as vault, open_mongo(settings) as database:
        markers = SenderMarkers(database)
        yield Storage(
            MongoConversationRepository(database, vault, markers),
            MongoMessageRepository(database, vault),
            MongoWriterStore(database, vault, markers),
            invites=MongoInviteRepository(database),
            jobs=MongoJobStore(database),
            eraser=MongoEraserStore(database),
        )


def channel(**more) -> Conversation:
    """Return a new channel."""
    return Conversation(
        **{
            "conversation_id": new_id(),
            "kind": ConversationKind.CHANNEL,
            "title": "Plans",
            "project_id": None,
            "created_by": None,
            "created_at": CLOCK.now(),
            **more,
        }
    )


def invite(**more) -> Invite:
    """Return a new invite of one use."""
    now = CLOCK.now()
    return Invite(
        **{
            "invite_id": new_id(),
            "conversation_id": new_id(),
            "token_hash": new_id().encode(),
            "role": Role.GUEST,
            "created_by": new_id(),
            "created_at": now,
            "expires_at": now + timedelta(hours=1),
            "uses_max": 1,
            **more,
        }
    )


async def test_an_invite_comes_back_as_stored(storage) -> None:
    """Found by the hash of its token, listed by id, gone when removed."""
    place = new_id()
    stored = [invite(conversation_id=place, uses_max=n) for n in (None, 1, 2)]
    expired = invite(conversation_id=place, expires_at=CLOCK.now())
    for one in (*stored, expired):
        await storage.invites.insert(one, session=None)
    found = await storage.invites.find(stored[0].token_hash, session=None)
    assert found == stored[0]
    assert await storage.invites.find(b"another", session=None) is None
    now = CLOCK.now()
    page = await storage.invites.page(place, now, after="", limit=2)
    assert page == stored[:2]
    after = page[-1].invite_id
    assert await storage.invites.page(place, now, after=after, limit=2) == stored[2:]
    assert await storage.invites.count(place, now, session=None) == 3
    invite_id = stored[0].invite_id
    assert not await storage.invites.remove(new_id(), invite_id, session=None)
    assert await storage.invites.remove(place, invite_id, session=None)
    assert not await storage.invites.remove(place, invite_id, session=None)


async def test_uses_are_counted_one_by_one(storage) -> None:
    """PW-8: twenty at once take the three that there are; an expired one none."""
    stored = invite(uses_max=3)
    expired = invite(expires_at=CLOCK.now())
    endless = invite(uses_max=None)
    for one in (stored, expired, endless):
        await storage.invites.insert(one, session=None)
    now = CLOCK.now()

    async def take(one: Invite) -> bool:
        return await storage.invites.take_use(one.invite_id, now, session=None)

    assert sum(await asyncio.gather(*(take(stored) for _ in range(20)))) == 3
    assert all([await take(endless) for _ in range(5)])
    assert not await take(expired)


async def test_a_job_is_worked_on_by_one_at_a_time(storage) -> None:
    """Claimed until its lease is out; asked for again it goes on as it is."""
    long_ago = CLOCK.now() - timedelta(days=900)
    job = Job(kind=JobKind.PURGE, subject=new_id(), created_at=long_ago)
    for _ in range(2):
        await storage.jobs.add(job, session=None)
    claimed = await storage.jobs.claim(long_ago, LEASE)
    assert claimed == job
    assert await storage.jobs.claim(long_ago, LEASE) is None
    moved = msgspec.structs.replace(claimed, cursor="x", done=7)
    await storage.jobs.save(moved, long_ago, LEASE)
    await storage.jobs.add(job, session=None)
    assert await storage.jobs.claim(long_ago + LEASE / 2, LEASE) is None
    assert await storage.jobs.claim(long_ago + LEASE, LEASE) == moved
    assert await storage.jobs.finish(moved, session=None)
    assert not await storage.jobs.finish(moved, session=None)
    assert await storage.jobs.claim(long_ago + 3 * LEASE, LEASE) is None


async def test_public_channels_are_found_by_project(storage) -> None:
    """Neither private, nor archived, nor another project's."""
    project_id = ProjectId(new_id())
    shown = [channel(project_id=project_id, is_public=True) for _ in range(3)]
    hidden = [
        channel(project_id=project_id),
        channel(project_id=project_id, is_public=True, is_archived=True),
        channel(project_id=ProjectId(new_id()), is_public=True),
        channel(is_public=True),
    ]
    for one in (*hidden, *shown):
        await storage.conversations.insert(one, [], session=None)
    find = storage.conversations.public_page
    assert await find(project_id, after="", limit=2) == shown[:2]
    after = shown[1].conversation_id
    assert await find(project_id, after=after, limit=2) == shown[2:]
    found = await find(None, after=hidden[2].conversation_id, limit=200)
    assert hidden[3] in found
    assert not [one for one in found if one.project_id is not None]


async def test_a_deleted_conversation_leaves_a_tombstone(storage) -> None:
    """Nothing finds it but its revision; nobody changes it or takes its id."""
    stored = channel(topic="Secret", is_public=True)
    place = stored.conversation_id
    await storage.conversations.insert(stored, [], session=None)
    gone = msgspec.structs.replace(stored, revision=2, members_version=2)
    await storage.conversations.delete(gone, before=stored, session=None)
    with pytest.raises(StaleConversationError):
        await storage.conversations.delete(gone, before=stored, session=None)
    with pytest.raises(StaleConversationError):
        await storage.conversations.replace(gone, before=stored, session=None)
    assert await storage.conversations.get(place) is None
    assert await storage.conversations.get_many([place]) == []
    listed = await storage.conversations.public_page(None, after="", limit=200)
    assert place not in {one.conversation_id for one in listed}
    assert await storage.writing.load_states({place: [new_id()]}) == {}
    assert await storage.conversations.revisions([place]) == {place: 2}


async def test_what_is_left_of_a_conversation_goes_in_batches(storage) -> None:
    """Up to the limit of each kind, until nothing is left; others' stay."""
    place, other = new_id(), invite()
    await storage.invites.insert(other, session=None)
    maker = new_id()
    for _ in range(3):
        one = invite(conversation_id=place, created_by=maker)
        await storage.invites.insert(one, session=None)
    purge = storage.eraser.purge_conversation
    assert [await purge(place, limit=2) for _ in range(3)] == [2, 1, 0]
    mine = invite(created_by=maker)
    await storage.invites.insert(mine, session=None)
    assert [await storage.eraser.purge_user(maker, limit=2) for _ in range(2)] == [1, 0]
    assert await storage.invites.find(other.token_hash, session=None) == other


async def test_what_a_user_said_is_found(storage) -> None:
    """Neither tombstones nor what the house said; in every place, left ones too."""
    ada, grace = new_id(), new_id()
    places = sorted((channel() for _ in range(2)), key=lambda c: c.conversation_id)
    for number, place in enumerate(places):
        member = joined(place, ada, Role.MEMBER, CLOCK.now())
        left = msgspec.structs.replace(member, is_active=number == 0)
        await storage.conversations.insert(place, [left], session=None)
    said = [
        Message(
            message_id=new_id(),
            conversation_id=places[0].conversation_id,
            client_message_id=new_id(),
            seq=seq,
            revision=seq + 1,
            sender_id=sender,
            sent_at=CLOCK.now(),
            text=None if is_deleted or kind is MessageKind.SYSTEM else "text",
            kind=kind,
            notice=notice,
            is_deleted=is_deleted,
        )
        for seq, (sender, is_deleted, kind, notice) in enumerate(
            (
                (ada, False, MessageKind.TEXT, None),
                (ada, True, MessageKind.TEXT, None),
                (ada, False, MessageKind.SYSTEM, Notice(type=NoticeType.MEMBER_LEFT)),
                (grace, False, MessageKind.TEXT, None),
                (ada, False, MessageKind.TEXT, None),
            ),
            start=1,
        )
    ]
    batch = Append(
        conversation_id=places[0].conversation_id,
        expected_seq=0,
        expected_revision=1,
        expected_members_version=1,
        messages=tuple(said),
    )
    await storage.writing.append([batch], session=None)
    ids = [place.conversation_id for place in places]
    found = await storage.eraser.sent_by(ada, ids[0], limit=9, session=None)
    assert set(found) == {said[0].message_id, said[4].message_id}
    assert len(await storage.eraser.sent_by(ada, ids[0], limit=1, session=None)) == 1
    page = partial(storage.messages.sent_page, ids[0], ada, limit=1)
    first = await page(after=None)
    second = await page(after=first[0].client_message_id)
    assert await page(after=second[0].client_message_id) == []
    assert {one.message_id for one in first + second} == set(found)
    assert {one.text for one in first + second} == {"text"}
    walked, after = [], ""
    while (after := await storage.eraser.place_after(ada, after)) is not None:
        walked.append(after)
    assert walked == ids
    await storage.eraser.forget_versions(found, session=None)


async def test_a_tombstone_is_told_from_what_never_was(storage) -> None:
    """Within the transaction that asks."""
    place = channel()
    await storage.conversations.insert(place, [], session=None)
    is_deleted = storage.conversations.is_deleted
    assert not await is_deleted(place.conversation_id, session=None)
    gone = msgspec.structs.replace(place, revision=2)
    await storage.conversations.delete(gone, before=place, session=None)
    assert await is_deleted(place.conversation_id, session=None)
    assert not await is_deleted(new_id(), session=None)


async def test_slow_mode_finds_when_somebody_last_sent(storage) -> None:
    """Each sender's newest message, none of the house's; nothing without slow mode."""
    ada, grace, eve = new_id(), new_id(), new_id()
    for seconds in (30, 0):
        place = channel(slow_mode_seconds=seconds)
        people = [joined(place, one, Role.MEMBER, CLOCK.now()) for one in (ada, grace)]
        await storage.conversations.insert(place, people, session=None)
        said = [
            Message(
                message_id=new_id(),
                conversation_id=place.conversation_id,
                client_message_id=new_id(),
                seq=seq,
                revision=seq + 1,
                sender_id=sender,
                sent_at=CLOCK.now(),
                text="text" if kind is MessageKind.TEXT else None,
                kind=kind,
                notice=notice,
            )
            for seq, (sender, kind, notice) in enumerate(
                (
                    (ada, MessageKind.TEXT, None),
                    (ada, MessageKind.TEXT, None),
                    (grace, MessageKind.SYSTEM, Notice(type=NoticeType.MEMBER_JOINED)),
                ),
                start=1,
            )
        ]
        batch = Append(
            conversation_id=place.conversation_id,
            expected_seq=0,
            expected_revision=1,
            expected_members_version=1,
            messages=tuple(said),
        )
        await storage.writing.append([batch], session=None)
        wanted = {place.conversation_id: [ada, grace, eve]}
        state = (await storage.writing.load_states(wanted))[place.conversation_id]
        assert state.sent_at == ({ada: said[1].sent_at} if seconds else {})
