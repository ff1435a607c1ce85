"""The storage contract of what is a user's own, on memory and on MongoDB."""

import asyncio
from types import SimpleNamespace

import msgspec
import pytest

from libs.chassis.mongo import open_mongo
from libs.crypto import DataKeys, FileKeyWrapper, KeyRing
from libs.kernel import SystemClock, UserId, new_id
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Member,
    Role,
)
from services.chat.domain.errors import MarkerUnmovedError
from services.chat.domain.personal import (
    Bookmark,
    Mute,
    MuteLevel,
    OwnMembership,
    SavedDraft,
)
from services.chat.repository import (
    ConversationVault,
    MongoBookmarkRepository,
    MongoConversationRepository,
    MongoDraftRepository,
    MongoPersonalRepository,
    SenderMarkers,
)
from services.chat.repository.memory import (
    MemoryBookmarks,
    MemoryConversations,
    MemoryDrafts,
    MemoryPersonal,
)

pytestmark = pytest.mark.integration
CLOCK = SystemClock()


def mongo_storage(database, ring: KeyRing) -> SimpleNamespace:
    """Return MongoDB's adapters with a cold cache of keys."""
    vault = ConversationVault(DataKeys(FileKeyWrapper(ring)))
    return SimpleNamespace(
        conversations=MongoConversationRepository(
            database, vault, SenderMarkers(database)
        ),
        personal=MongoPersonalRepository(database, vault),
        drafts=MongoDraftRepository(database, vault),
        bookmarks=MongoBookmarkRepository(database, vault),
    )


@pytest.fixture(params=["memory", "mongo"])
async def storage(request, settings):
    """Each backend in turn."""
    if request.param == "memory":
        store = MemoryConversations()
        drafts, bookmarks = MemoryDrafts(store), MemoryBookmarks(store)
        yield SimpleNamespace(
            conversations=store,
            personal=MemoryPersonal(store, drafts, bookmarks),
            drafts=drafts,
            bookmarks=bookmarks,
        )
        return
    async with open_mongo(settings) as database:
        yield mongo_storage(database, KeyRing.from_file(settings.storage_keys_file))


def group_of(*users: UserId) -> tuple[Conversation, list[Member]]:
    """Return a new group and its members."""
    conversation = Conversation(
        conversation_id=new_id(),
        kind=ConversationKind.GROUP,
        title="Plans",
        project_id=None,
        created_by=None,
        created_at=CLOCK.now(),
    )
    return conversation, [
        Member(
            conversation_id=conversation.conversation_id,
            user_id=user_id,
            role=Role.MEMBER,
            joined_at=conversation.created_at,
            revision=1,
        )
        for user_id in users
    ]


def draft_of(user_id, conversation_id, text="hello", **more) -> SavedDraft:
    """Return a draft."""
    return SavedDraft(
        user_id=user_id,
        conversation_id=conversation_id,
        thread_seq=more.pop("thread_seq", 0),
        text=text,
        saved_at=CLOCK.now(),
        is_cleared=text is None,
    )


async def test_the_stream_of_a_user_has_no_gap(storage) -> None:
    """Every kind of change draws on one counter; each item holds its last one."""
    ann, ben = UserId(new_id()), UserId(new_id())
    first, people = group_of(ann, ben)
    place = first.conversation_id
    issued = await storage.conversations.insert(first, people, session=None)
    assert issued == {ann: 1, ben: 1}
    assert await storage.personal.mark_read(place, ann, 5, session=None) == 2
    mute = Mute(MuteLevel.MENTIONS, CLOCK.now())
    assert await storage.personal.put_mute(place, ann, mute, session=None) == 3
    saved = await storage.drafts.put(draft_of(ann, place), session=None)
    message_id = new_id()
    bookmark = Bookmark(
        user_id=ann,
        conversation_id=place,
        message_id=message_id,
        seq=1,
        note="later",
        added_at=CLOCK.now(),
    )
    marked = await storage.bookmarks.put(bookmark, session=None)
    second, people = group_of(ann)
    assert await storage.conversations.insert(second, people, session=None) == {ann: 6}
    assert (saved.user_revision, marked.user_revision) == (4, 5)
    revision, found = await storage.personal.changed(ann, since=0, limit=10)
    assert revision == 6
    assert [item.user_revision for item in found] == [3, 4, 5, 6]
    assert found[1:3] == [saved, marked]
    assert isinstance(found[0], OwnMembership)
    assert (found[0].mute, found[0].member.read_seq) == (mute, 5)
    assert await storage.personal.changed(ann, since=3, limit=1) == (6, [saved])
    assert await storage.personal.changed(ann, since=9, limit=1) == (6, [])
    assert await storage.personal.revisions([ann, ben, new_id()]) == {ann: 6, ben: 1}
    assert await storage.personal.revision(new_id()) == 0
    assert await storage.personal.mutes(ann, [place, second.conversation_id]) == {
        place: mute
    }


async def test_a_membership_that_changes_moves_its_users_stream(storage) -> None:
    """Leaving and coming back; how it is muted outlives both."""
    ann = UserId(new_id())
    group, (member,) = group_of(ann)
    await storage.conversations.insert(group, [], session=None)
    await storage.conversations.put_member(member, session=None)
    assert await storage.personal.revision(ann) == 1
    mute = Mute(MuteLevel.NONE)
    await storage.personal.put_mute(group.conversation_id, ann, mute, session=None)
    await storage.conversations.put_member(member, session=None)
    _, (own,) = await storage.personal.changed(ann, since=0, limit=5)
    assert (own.user_revision, own.mute) == (3, mute)


async def test_a_marker_that_does_not_move_is_refused(storage) -> None:
    """So that the transaction, and the revision with it, is taken back."""
    ann = UserId(new_id())
    group, people = group_of(ann)
    await storage.conversations.insert(group, people, session=None)
    place = group.conversation_id
    await storage.personal.mark_read(place, ann, 5, session=None)
    for seq in (5, 4):
        with pytest.raises(MarkerUnmovedError):
            await storage.personal.mark_read(place, ann, seq, session=None)


async def test_readers_are_paged_by_user_id(storage) -> None:
    """Who is at the seq or above, but the sender and those who left."""
    users = sorted(UserId(new_id()) for _ in range(5))
    group, people = group_of(*users)
    await storage.conversations.insert(group, people, session=None)
    place = group.conversation_id
    for number, user_id in enumerate(users):
        await storage.personal.mark_read(place, user_id, 3 + number % 2, session=None)
    gone = msgspec.structs.replace(people[4], is_active=False, revision=2)
    await storage.conversations.put_member(gone, session=None)

    async def readers(seq: int, after: str = "", limit: int = 9) -> list[UserId]:
        found = await storage.personal.readers(
            place, seq, except_user=users[0], after=after, limit=limit
        )
        return [member.user_id for member in found]

    assert await readers(3) == users[1:4]
    assert await readers(4) == [users[1], users[3]]
    assert await readers(3, after=users[1], limit=1) == [users[2]]


async def test_drafts_and_bookmarks_come_back_as_stored(storage) -> None:
    """By user, conversation and thread; pages go down by revision."""
    ann, ben = UserId(new_id()), UserId(new_id())
    group, people = group_of(ann, ben)
    await storage.conversations.insert(group, people, session=None)
    place = group.conversation_id
    put = storage.drafts.put
    one = await put(draft_of(ann, place, "one"), session=None)
    thread = await put(draft_of(ann, place, "thread", thread_seq=3), session=None)
    await put(draft_of(ben, place, "Ben's"), session=None)
    assert await storage.drafts.get(ann, place, 0) == one
    assert await storage.drafts.get(ann, place, 3) == thread
    assert await storage.drafts.get(ann, place, 4) is None
    two = await put(draft_of(ann, place, "two"), session=None)
    assert await storage.drafts.page(ann, before=None, limit=5) == [two, thread]
    assert await storage.drafts.page(ann, before=two.user_revision, limit=5) == [thread]
    cleared = await put(draft_of(ann, place, None), session=None)
    assert await storage.drafts.page(ann, before=None, limit=5) == [thread]
    assert await storage.drafts.get(ann, place, 0) == cleared
    bookmark = Bookmark(
        user_id=ann,
        conversation_id=place,
        message_id=new_id(),
        seq=1,
        note=None,
        added_at=CLOCK.now(),
    )
    stored = await storage.bookmarks.put(bookmark, session=None)
    assert await storage.bookmarks.get(ann, bookmark.message_id) == stored
    assert await storage.bookmarks.get(ben, bookmark.message_id) is None
    assert await storage.bookmarks.page(ann, before=None, limit=5) == [stored]


async def test_own_texts_are_sealed_and_bound_to_their_place(settings) -> None:
    """Another's draft, or a draft of another thread, does not open."""
    ring = KeyRing.from_file(settings.storage_keys_file)
    ann, ben = UserId(new_id()), UserId(new_id())
    async with open_mongo(settings) as database:
        storage = mongo_storage(database, ring)
        group, people = group_of(ann, ben)
        await storage.conversations.insert(group, people, session=None)
        place = group.conversation_id
        for user_id, text in ((ann, "secret of Ann"), (ben, "secret of Ben")):
            await storage.drafts.put(draft_of(user_id, place, text), session=None)
        stored = await database["drafts"].find_one({"user_id": ann})
        assert b"secret" not in stored["body"]["c"]
        await database["drafts"].update_one(
            {"user_id": ben}, {"$set": {"body": stored["body"]}}
        )
        cold = mongo_storage(database, ring)
        assert (await cold.drafts.get(ann, place, 0)).text == "secret of Ann"
        assert (await cold.drafts.get(ben, place, 0)).text is None


async def test_a_thousand_members_are_one_bounded_transaction(settings) -> None:
    """Some of them have a stream already; others change theirs meanwhile."""
    ring = KeyRing.from_file(settings.storage_keys_file)
    users = [UserId(new_id()) for _ in range(1_000)]
    async with open_mongo(settings) as database:
        storage = mongo_storage(database, ring)
        early, people = group_of(*users[:300])
        await storage.conversations.insert(early, people, session=None)
        large, people = group_of(*users)
        async with (
            database.client.start_session() as session,
            await session.start_transaction(),
        ):
            issued = await storage.conversations.insert(large, people, session=session)
        assert [issued[user] for user in users] == [2] * 300 + [1] * 700
        assert await storage.personal.revisions(users) == issued


async def test_concurrent_changes_of_one_user_take_turns(settings) -> None:
    """Thirty at once: thirty revisions, none twice, none left out."""
    ring = KeyRing.from_file(settings.storage_keys_file)
    ann = UserId(new_id())
    async with open_mongo(settings) as database:
        storage = mongo_storage(database, ring)
        groups = [group_of(ann) for _ in range(3)]
        for group, people in groups:
            await storage.conversations.insert(group, people, session=None)

        async def save(number: int) -> int:
            group = groups[number % 3][0]

            async def change(session) -> int:
                draft = draft_of(ann, group.conversation_id, f"{number}")
                return (await storage.drafts.put(draft, session=session)).user_revision

            async with database.client.start_session() as session:
                return await session.with_transaction(change)

        revisions = await asyncio.gather(*(save(number) for number in range(30)))
        assert sorted(revisions) == list(range(4, 34))
