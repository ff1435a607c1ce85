"""The storage contract, on memory and on MongoDB."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from pymongo.errors import OperationFailure

from libs.chassis.mongo import open_mongo
from libs.crypto import DataKeys, FileKeyWrapper, KeyRing
from libs.kernel import ConflictError, SystemClock, UserId, new_id
from services.chat.domain.ban import Ban
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    HistoryVisibility,
    Member,
    Role,
    direct_key,
)
from services.chat.domain.errors import DuplicateMessageError, StaleConversationError
from services.chat.domain.message import Message, tombstone
from services.chat.domain.user import User
from services.chat.ports import Append, JoinedAt
from services.chat.repository import (
    ConversationVault,
    MongoBanRepository,
    MongoConversationRepository,
    MongoMessageRepository,
    MongoUserRepository,
    MongoWriterStore,
    SenderMarkers,
)
from services.chat.repository.memory import (
    MemoryBans,
    MemoryConversations,
    MemoryMessages,
    MemoryUsers,
    sent_key,
)

pytestmark = pytest.mark.integration
CLOCK = SystemClock()


class Storage:
    """The adapters of one backend."""

    def __init__(self, conversations, messages, users, writing, bans) -> None:
        self.conversations = conversations
        self.bans = bans
        self.messages = messages
        self.users = users
        self.writing = writing


@pytest.fixture(params=["memory", "mongo"])
async def storage(request, settings):
    """Each backend in turn."""
    if request.param == "memory":
        store = MemoryConversations()
        yield Storage(store, MemoryMessages(store), MemoryUsers(), store, MemoryBans())
        return
    async with open_mongo(settings) as database:
        yield mongo_storage(database, KeyRing.from_file(settings.storage_keys_file))


def mongo_storage(database, ring: KeyRing) -> Storage:
    """Return MongoDB's adapters with a cold cache of keys."""
    vault = ConversationVault(DataKeys(FileKeyWrapper(ring)))
    markers = SenderMarkers(database)
    return Storage(
        MongoConversationRepository(database, vault, markers),
        MongoMessageRepository(database, vault),
        MongoUserRepository(database),
        MongoWriterStore(database, vault, markers),
        MongoBanRepository(database),
    )


def group(**more) -> Conversation:
    """Return a new conversation."""
    return Conversation(
        conversation_id=new_id(),
        kind=ConversationKind.GROUP,
        title="Plans",
        project_id=None,
        created_by=None,
        created_at=CLOCK.now(),
        **more,
    )


def member(conversation: Conversation, user_id: str, role: Role = Role.MEMBER):
    """Return a new membership."""
    return Member(
        conversation_id=conversation.conversation_id,
        user_id=UserId(user_id),
        role=role,
        joined_at=CLOCK.now(),
        revision=1,
    )


def append(conversation: Conversation, *messages: Message) -> Append:
    """Return what the writer asks for."""
    return Append(
        conversation_id=conversation.conversation_id,
        expected_seq=conversation.last_seq,
        expected_revision=conversation.revision,
        expected_members_version=conversation.members_version,
        messages=messages,
    )


def message(conversation: Conversation, sender: str, seq: int, **more) -> Message:
    """Return a message of the conversation."""
    return Message(
        message_id=new_id(),
        conversation_id=conversation.conversation_id,
        client_message_id=more.pop("client_message_id", new_id()),
        seq=seq,
        revision=seq + 1,
        sender_id=sender,
        sent_at=CLOCK.now(),
        text=f"text {seq}",
        **more,
    )


async def test_conversations_come_back_as_stored(storage) -> None:
    """Title, pair and counters survive; the unique key is unique."""
    users = [new_id(), new_id()]
    stored = group(unique_key=direct_key(*users), pair=tuple(users))
    people = [member(stored, user) for user in users]
    await storage.conversations.insert(stored, people, session=None)
    assert await storage.conversations.get(stored.conversation_id) == stored
    assert await storage.conversations.find_by_key(stored.unique_key) == stored
    again = group(unique_key=stored.unique_key)
    with pytest.raises(ConflictError):
        await storage.conversations.insert(again, [], session=None)
    known = await storage.conversations.get_member(stored.conversation_id, users[0])
    assert known == people[0]


async def test_profile_and_rules_come_back_as_stored(storage) -> None:
    """Topic, avatar and every rule; what is taken away is gone."""
    stored = group(
        topic="Who brings what",
        avatar_document_id=new_id(),
        history_visibility=HistoryVisibility.JOINED,
        slow_mode_seconds=7,
        is_announcement_only=True,
        has_receipts=False,
        is_public=True,
    )
    await storage.conversations.insert(stored, [], session=None)
    assert await storage.conversations.get(stored.conversation_id) == stored
    bare = msgspec.structs.replace(
        stored, topic=None, avatar_document_id=None, slow_mode_seconds=0, revision=2
    )
    await storage.conversations.replace(bare, before=stored, session=None)
    assert await storage.conversations.get(stored.conversation_id) == bare


async def test_what_was_said_before_a_joining_can_be_hidden(storage) -> None:
    """Pages and changes begin where the viewer's sight begins."""
    stored = group()
    ada, grace = new_id(), new_id()
    viewer = msgspec.structs.replace(
        member(stored, grace), visible_from_seq=3, joined_revision=3
    )
    await storage.conversations.insert(stored, [viewer], session=None)
    messages = [message(stored, ada, seq) for seq in (1, 2, 3, 4)]
    await storage.writing.append([append(stored, *messages)], session=None)
    place = stored.conversation_id
    known = await storage.conversations.get_member(place, grace)
    assert known == viewer
    for bounds in ({"before": None, "after": None}, {"before": None, "after": 0}):
        page = await storage.messages.page(
            place, limit=10, visible_from_seq=3, **bounds
        )
        assert [one.seq for one in page.messages] == [3, 4]
    page = await storage.messages.page(
        place, before=4, after=None, limit=10, visible_from_seq=3
    )
    assert ([one.seq for one in page.messages], page.has_more) == ([3], False)
    changed = await storage.messages.changed(place, since=0, limit=10, viewer=known)
    assert [one.seq for one in changed.messages] == [3, 4]


async def test_bans_are_kept_once(storage) -> None:
    """The first one stays; pages are by user id; a lifted one is gone."""
    place, admin = new_id(), new_id()
    users = sorted(new_id() for _ in range(3))
    bans = [
        Ban(
            conversation_id=place,
            user_id=user_id,
            banned_by=admin,
            banned_at=CLOCK.now(),
        )
        for user_id in users
    ]
    for ban in bans:
        await storage.bans.put(ban, session=None)
    other = msgspec.structs.replace(bans[0], banned_by=users[1])
    await storage.bans.put(other, session=None)
    assert await storage.bans.get(place, users[0]) == bans[0]
    assert await storage.bans.page(place, after="", limit=2) == bans[:2]
    assert await storage.bans.page(place, after=users[1], limit=2) == bans[2:]
    assert await storage.bans.count(place) == 3
    asked = [place, new_id()]
    assert await storage.bans.banned_from(users[0], asked) == {place}
    assert await storage.bans.remove(place, users[0], session=None)
    assert not await storage.bans.remove(place, users[0], session=None)
    assert await storage.bans.get(place, users[0]) is None


async def test_the_longest_member_of_a_role_is_found(storage) -> None:
    """By the time of joining, then by id; tombstones do not count."""
    stored = group()
    admins = sorted(new_id() for _ in range(3))
    now = CLOCK.now()
    people = [
        msgspec.structs.replace(
            member(stored, admin, Role.ADMIN),
            joined_at=now - timedelta(days=days),
            is_active=is_active,
        )
        for admin, days, is_active in zip(
            admins, (3, 1, 2), (False, True, True), strict=True
        )
    ]
    await storage.conversations.insert(stored, people, session=None)
    place = stored.conversation_id
    found = await storage.conversations.longest_member(place, Role.ADMIN, session=None)
    assert found.user_id == admins[2]
    assert not await storage.conversations.longest_member(
        place, Role.OWNER, session=None
    )


async def test_users_are_found_by_handle(storage) -> None:
    """By the one they have now."""
    handle = f"u{new_id()[-12:]}"
    stored = User(user_id=UserId(new_id()), handle=handle, is_verified=True)
    await storage.users.put(stored, session=None)
    assert await storage.users.find_by_handle(handle) == stored
    assert await storage.users.find_by_handle(f"{handle}x") is None


async def test_replacing_compares_the_counters(storage) -> None:
    """Only who knows the newest state may change it."""
    stored = group()
    await storage.conversations.insert(stored, [], session=None)
    renamed = msgspec.structs.replace(stored, title="Other", revision=2)
    await storage.conversations.replace(renamed, before=stored, session=None)
    with pytest.raises(StaleConversationError):
        await storage.conversations.replace(renamed, before=stored, session=None)
    assert await storage.conversations.get(stored.conversation_id) == renamed
    ids = [stored.conversation_id, new_id()]
    assert await storage.conversations.revisions(ids) == {ids[0]: 2}


async def test_members_are_paged_and_counted(storage) -> None:
    """Tombstones are kept and not counted; markers never go back."""
    stored = group()
    users = sorted(new_id() for _ in range(4))
    people = [member(stored, user) for user in users[:3]]
    await storage.conversations.insert(stored, people, session=None)
    gone = msgspec.structs.replace(people[0], is_active=False, revision=2)
    await storage.conversations.put_member(gone, session=None)
    late = member(stored, users[3], Role.OWNER)
    await storage.conversations.put_member(late, session=None)
    conversation_id = stored.conversation_id
    page = await storage.conversations.members_page(conversation_id, after="", limit=2)
    assert [m.user_id for m in page] == users[1:3]
    assert await storage.conversations.count_members(conversation_id) == 3
    owners = await storage.conversations.count_members(conversation_id, role=Role.OWNER)
    assert owners == 1
    assert await storage.conversations.advance_read(conversation_id, users[1], 5)
    assert not await storage.conversations.advance_read(conversation_id, users[1], 4)
    await storage.conversations.put_member(people[1], session=None)
    known = await storage.conversations.get_member(conversation_id, users[1])
    assert known.read_seq == 5


async def test_memberships_are_the_last_joined_first(storage) -> None:
    """Pages go by the time of joining, whatever the ids; ties go by id."""
    user = new_id()
    made = [group() for _ in range(4)]
    hours = {0: 3, 1: 1, 2: 1, 3: 2}
    for number, conversation in enumerate(made):
        joined_at = CLOCK.now() + timedelta(hours=hours[number])
        person = msgspec.structs.replace(
            member(conversation, user), joined_at=joined_at
        )
        await storage.conversations.insert(conversation, [person], session=None)
    ids = [made[number].conversation_id for number in (0, 3, 2, 1)]
    pages = storage.conversations.memberships_page
    shown, before = [], None
    while page := await pages(user, before=before, limit=1):
        shown += [m.conversation_id for m in page]
        before = JoinedAt(page[-1].joined_at, page[-1].conversation_id)
    assert shown == ids
    some = await storage.conversations.memberships_in(user, [ids[0], new_id()])
    assert [m.conversation_id for m in some] == [ids[0]]


async def test_a_projects_conversations_are_paged(storage) -> None:
    """Those of other projects are not among them; members are asked for together."""
    project, user = new_id(), new_id()
    made = [msgspec.structs.replace(group(), project_id=project) for _ in range(3)]
    for conversation in [*made, group()]:
        people = [member(conversation, user)]
        await storage.conversations.insert(conversation, people, session=None)
    ids = sorted(conversation.conversation_id for conversation in made)
    first = await storage.conversations.of_project(project, after="", limit=2)
    rest = await storage.conversations.of_project(project, after=first[-1], limit=2)
    assert [*first, *rest] == ids
    some = await storage.conversations.members_among(ids[0], [user, new_id()])
    assert some == {user}


async def test_an_unread_title_is_not_written_over(storage) -> None:
    """Who could not open a title stores its other changes only."""
    titled = group()
    await storage.conversations.insert(titled, [], session=None)
    blind = msgspec.structs.replace(
        await storage.conversations.get(titled.conversation_id), title=None
    )
    moved = msgspec.structs.replace(blind, revision=blind.revision + 1)
    await storage.conversations.replace(moved, before=blind, session=None)
    stored = await storage.conversations.get(titled.conversation_id)
    assert (stored.title, stored.revision) == (titled.title, moved.revision)


async def test_appending_is_compare_and_set(storage) -> None:
    """Stale plans and repeated messages are told apart; markers move."""
    sender = new_id()
    stored = group()
    await storage.conversations.insert(stored, [member(stored, sender)], session=None)
    one, two = message(stored, sender, 1), message(stored, sender, 2)
    await storage.writing.append([append(stored, one, two)], session=None)
    with pytest.raises(StaleConversationError):
        await storage.writing.append([append(stored, one)], session=None)
    states = await storage.writing.load_states({stored.conversation_id: [sender, "x"]})
    state = states[stored.conversation_id]
    assert (state.last_seq, state.revision) == (2, 3)
    assert state.roles == {sender: Role.MEMBER}
    again = message(stored, sender, 3, client_message_id=one.client_message_id)
    with pytest.raises(DuplicateMessageError):
        await storage.writing.append([append(state.conversation, again)], session=None)
    assert await storage.writing.find_sent([sent_key(one), ("a", "b", "c")]) == {
        sent_key(one): one
    }
    storage.writing.note_sent([one, two])
    known = await storage.conversations.get_member(stored.conversation_id, sender)
    assert known.read_seq == 2


async def test_history_and_changes(storage) -> None:
    """Pages, tombstones, and whole revisions of members."""
    users = [new_id() for _ in range(5)]
    stored = group()
    people = [member(stored, user) for user in users]
    await storage.conversations.insert(stored, people, session=None)
    sent = [message(stored, users[0], seq) for seq in range(1, 6)]
    await storage.writing.append([append(stored, *sent)], session=None)
    conversation_id = stored.conversation_id
    gone = tombstone(sent[1], 7)
    await storage.messages.replace(gone, session=None)
    found = await storage.messages.get(conversation_id, gone.message_id)
    assert found == gone
    assert await storage.messages.get(new_id(), gone.message_id) is None
    page = await storage.messages.page(conversation_id, before=4, after=None, limit=2)
    assert ([m.seq for m in page.messages], page.has_more) == ([2, 3], True)
    page = await storage.messages.page(conversation_id, before=None, after=3, limit=2)
    assert ([m.seq for m in page.messages], page.has_more) == ([4, 5], False)
    changed = await storage.messages.changed(conversation_id, since=0, limit=2)
    assert [m.revision for m in changed.messages] == [2, 4]
    assert len(changed.members) == 5
    assert changed.conversation.revision == 6
    assert await storage.messages.changed(new_id(), since=0, limit=2) is None


async def test_what_changes_while_it_is_read_is_not_missed(storage) -> None:
    """Every answer holds every message, in its old state or in its new one."""
    stored = group()
    sender = new_id()
    await storage.conversations.insert(stored, [], session=None)
    sent = [message(stored, sender, seq) for seq in range(1, 21)]
    await storage.writing.append([append(stored, *sent)], session=None)

    async def edit() -> None:
        known = await storage.conversations.get(stored.conversation_id)
        for edited in sent * 5:
            revision = known.revision + 1
            after = msgspec.structs.replace(known, revision=revision)
            changed = msgspec.structs.replace(edited, revision=revision)
            await storage.conversations.replace(after, before=known, session=None)
            await storage.messages.replace(changed, session=None)
            known = after

    editing = asyncio.create_task(edit())
    while not editing.done():
        found = await storage.messages.changed(
            stored.conversation_id, since=0, limit=100
        )
        assert len(found.messages) == len(sent)
        await asyncio.sleep(0)
    await editing


async def test_what_is_shredded_opens_never_again(storage) -> None:
    """Neither title nor bodies, in the process that shreds and in one that knew."""
    stored = group()
    await storage.conversations.insert(stored, [], session=None)
    sent = message(stored, new_id(), 1)
    await storage.writing.append([append(stored, sent)], session=None)
    conversation_id = stored.conversation_id
    for _ in range(2):  # idempotent
        await storage.conversations.shred(conversation_id, session=None)
    left = await storage.conversations.get(conversation_id)
    assert (left.title, left.last_seq) == (None, 1)
    found = await storage.messages.get(conversation_id, sent.message_id)
    assert (found.seq, found.text) == (1, None)
    page = await storage.messages.page(
        conversation_id, before=None, after=None, limit=2
    )
    assert [m.text for m in page.messages] == [None]


async def test_users_come_back_as_stored(storage) -> None:
    """Only active ones can be brought in."""
    active = User(user_id=new_id(), display_name="Ada", handle="a", is_verified=True)
    asleep = User(user_id=new_id(), is_verified=True, is_suspended=True)
    for user in (active, asleep):
        await storage.users.put(user, session=None)
    assert await storage.users.get(active.user_id) == active
    ids = [active.user_id, asleep.user_id, new_id()]
    assert await storage.users.active_among(ids) == {active.user_id}
    program = User(user_id=new_id(), is_verified=True, is_bot=True)
    await storage.users.put(program, session=None)
    assert await storage.users.get(program.user_id) == program
    both = [active.user_id, program.user_id]
    assert await storage.users.bots_among(both) == {program.user_id}


async def test_swapped_ciphertext_does_not_open(settings) -> None:
    """A body moved to another message, or under another sender, is noticed (CR-2)."""
    ring = KeyRing.from_file(settings.storage_keys_file)
    async with open_mongo(settings) as database:
        storage = mongo_storage(database, ring)
        stored = group()
        await storage.conversations.insert(stored, [], session=None)
        sent = [message(stored, "ann", 1), message(stored, "bob", 2)]
        await storage.writing.append([append(stored, *sent)], session=None)
        first = await database["messages"].find_one({"_id": sent[0].message_id})
        await database["messages"].update_one(
            {"_id": sent[1].message_id}, {"$set": {"body": first["body"]}}
        )
        cold = mongo_storage(database, ring)
        conversation_id = stored.conversation_id
        assert (await cold.messages.get(conversation_id, sent[0].message_id)) == sent[0]
        swapped = await cold.messages.get(conversation_id, sent[1].message_id)
        assert swapped.text is None


async def test_another_services_database_is_refused(settings, stack) -> None:
    """Chat's account opens chat's database alone."""
    async with open_mongo(settings) as database:
        with pytest.raises(OperationFailure):
            await database.client["parley_auth"]["users"].find_one()
