"""A user's own stream: drafts, bookmarks, mutes, markers, memberships."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import msgspec
import pytest

from libs.events.catalog import (
    BookmarkAdded,
    BookmarkRemoved,
    ConversationCreated,
    ConversationMuted,
    ConversationRead,
    DraftCleared,
    DraftSaved,
)
from libs.kernel import MessageId, new_id
from services.chat.domain.amendment import Amendment
from services.chat.domain.conversation import ConversationKind, HistoryVisibility, Role
from services.chat.domain.errors import (
    BookmarkNotFoundError,
    ConversationNotFoundError,
    DraftInvalidError,
    MessageIsDeletedError,
    MessageNotFoundError,
    OwnRevisionUnknownError,
    ReceiptsAreOffError,
    TextTooLongError,
)
from services.chat.domain.personal import (
    Bookmark,
    Mute,
    MuteLevel,
    OwnMembership,
    SavedDraft,
)
from services.chat.service.bookmarks import Bookmarks
from services.chat.service.drafts import Drafts
from services.chat.service.feed import LiveFeed
from services.chat.service.items import user_room
from services.chat.service.markers import ReadMarkers
from services.chat.service.mutes import Mutes
from services.chat.service.openings import Opening
from services.chat.service.own_stream import OwnStream
from services.chat.service.receipts import Receipts
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft, user


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


@pytest.fixture
def own(chat) -> SimpleNamespace:
    """The use cases on what is a user's own."""
    return SimpleNamespace(
        stream=OwnStream(chat.personal),
        drafts=Drafts(chat.bus, chat.store, chat.draft_store, chat.clock),
        bookmarks=Bookmarks(
            chat.bus,
            chat.store,
            chat.message_store,
            chat.bookmark_store,
            clock=chat.clock,
        ),
        mutes=Mutes(chat.bus, chat.store, chat.personal, chat.clock),
        markers=ReadMarkers(chat.bus, chat.store, chat.personal, chat.clock),
    )


async def test_every_change_of_ones_own_counts_one_up(chat, own) -> None:
    """Joining, reading, writing, marking, muting: one stream, no gap, no repetition."""
    group = await chat.group(GRACE)
    message = await chat.messages.send(draft(group))
    await own.markers.mark(GRACE, group, 1)
    await own.drafts.save(GRACE, group, "hey")
    await own.bookmarks.add(GRACE, group, message.message_id, note="later")
    await own.mutes.mute(GRACE, group, MuteLevel.NONE, None)
    changes = await own.stream.changes(GRACE, since=0, limit=50)
    assert [item.user_revision for item in changes.items] == [3, 4, 5]
    assert (changes.revision, changes.has_more) == (5, False)
    a_draft, a_bookmark, a_membership = changes.items
    assert isinstance(a_draft, SavedDraft)
    assert a_draft.text == "hey"
    assert isinstance(a_bookmark, Bookmark)
    assert a_bookmark.note == "later"
    assert isinstance(a_membership, OwnMembership)
    assert (a_membership.member.read_seq, a_membership.mute) == (
        1,
        Mute(MuteLevel.NONE),
    )


async def test_the_stream_pages_to_the_current_state(chat, own) -> None:
    """Whatever the page size, everything comes once, in order."""
    groups = [await chat.group(GRACE) for _ in range(5)]
    for group in groups[:3]:
        await own.drafts.save(GRACE, group, "x")
    since, seen, has_more = 0, [], True
    while has_more:
        changes = await own.stream.changes(GRACE, since=since, limit=3)
        seen += [item.user_revision for item in changes.items]
        since, has_more = changes.revision, changes.has_more
    assert seen == list(range(1, 9))
    with pytest.raises(OwnRevisionUnknownError) as refused:
        await own.stream.changes(GRACE, since=9, limit=3)
    assert refused.value.details == {"revision": 8}


async def test_sending_issues_no_revision_of_ones_own(chat, own) -> None:
    """A client derives its own marker from its own message.sent."""
    group = await chat.group()
    await chat.messages.send(draft(group))
    assert await chat.personal.revision(ADA) == 1
    assert (await chat.store.get_member(group, ADA)).read_seq == 1
    await own.markers.mark(ADA, group, 1)
    assert await chat.personal.revision(ADA) == 1


async def test_a_new_conversation_moves_the_stream_of_every_member(chat, own) -> None:
    """Its event tells each one's revision, in the order of the members."""
    await chat.group(GRACE)
    opening = Opening(
        kind=ConversationKind.GROUP, title="Plans", member_ids=(GRACE, MALLORY)
    )
    await chat.openings.open(ADA, opening)
    event = chat.bus.published_of(ConversationCreated)[0]
    told = dict(zip([u for u, _ in event.members], event.user_revisions, strict=True))
    assert told == {ADA: 2, GRACE: 2, MALLORY: 1}


async def test_a_member_who_goes_is_told_in_the_own_stream(chat, own) -> None:
    """The tombstone of the membership is the last change; a return is one more."""
    group = await chat.group(GRACE)
    await chat.members.remove(ADA, group, GRACE)
    changes = await own.stream.changes(GRACE, since=1, limit=5)
    assert [item.member.is_active for item in changes.items] == [False]
    await chat.members.add(ADA, group, GRACE, "member")
    changes = await own.stream.changes(GRACE, since=2, limit=5)
    assert [item.member.is_active for item in changes.items] == [True]


async def test_only_the_marker_that_moved_is_told_and_only_once_a_second(
    chat, own
) -> None:
    """Each move has a revision; its event may stand for several."""
    group = await chat.group(GRACE)
    for _ in range(4):
        await chat.messages.send(draft(group))
    for seq in (1, 2, 2, 1, 3):
        await own.markers.mark(GRACE, group, seq)
    await own.markers.flush()
    told = chat.bus.published_of(ConversationRead)
    assert [(e.read_seq, e.user_revision) for e in told] == [(1, 2), (3, 4)]


async def test_a_draft_is_saved_cleared_and_saved_again(chat, own) -> None:
    """The last write wins; a thread has its own; an empty text clears."""
    group = await chat.group(GRACE)
    await chat.messages.send(draft(group))
    await own.drafts.save(ADA, group, "one")
    await own.drafts.save(ADA, group, "two")
    await own.drafts.save(ADA, group, "in the thread", thread_seq=1)
    shown, following = await own.drafts.page(ADA, before=None, limit=10)
    assert [d.text for d in shown] == ["in the thread", "two"]
    assert following is None
    await own.drafts.save(ADA, group, "  ")
    await own.drafts.clear(ADA, group)  # once more changes nothing
    shown, _ = await own.drafts.page(ADA, before=None, limit=10)
    assert [d.text for d in shown] == ["in the thread"]
    saved = chat.bus.published_of(DraftSaved)
    assert [e.event_sequence for e in saved] == [2, 3, 4]
    assert [e.event_sequence for e in chat.bus.published_of(DraftCleared)] == [5]
    assert b"thread" not in msgspec.json.encode(saved[0].conversation_id)


async def test_drafts_are_paged(chat, own) -> None:
    """Pages touch: nothing is left out or repeated."""
    groups = [await chat.group() for _ in range(5)]
    for number, group in enumerate(groups):
        await own.drafts.save(ADA, group, f"{number}")
    seen, before, pages = [], None, 0
    while pages == 0 or before is not None:
        shown, before = await own.drafts.page(ADA, before=before, limit=2)
        seen += [d.text for d in shown]
        pages += 1
    assert seen == ["4", "3", "2", "1", "0"]
    assert pages == 3


async def test_drafts_that_are_refused(chat, own) -> None:
    """Too long, not Unicode, nobody's business, no such thread."""
    group = await chat.group()
    with pytest.raises(TextTooLongError):
        await own.drafts.save(ADA, group, "x" * 16_001)
    with pytest.raises(DraftInvalidError):
        await own.drafts.save(ADA, group, "\ud800")
    with pytest.raises(DraftInvalidError):
        await own.drafts.save(ADA, group, "x", thread_seq=1)
    for refused in (
        own.drafts.save(MALLORY, group, "x"),
        own.drafts.clear(GRACE, group),
    ):
        with pytest.raises(ConversationNotFoundError):
            await refused
    assert await chat.personal.revision(MALLORY) == 0


async def test_a_left_conversations_draft_is_not_listed(chat, own) -> None:
    """It is kept, and shown again to who returns."""
    group = await chat.group(GRACE)
    await own.drafts.save(GRACE, group, "x")
    await chat.members.remove(ADA, group, GRACE)
    assert (await own.drafts.page(GRACE, before=None, limit=5))[0] == []


async def test_a_bookmark_comes_with_its_message_while_it_is_visible(chat, own) -> None:
    """Deleted, or left behind: it stays, and its message is unavailable."""
    group, other = await chat.group(GRACE), await chat.group(GRACE)
    kept = await chat.messages.send(draft(group, text="keep"))
    gone = await chat.messages.send(draft(group, text="gone"))
    left = await chat.messages.send(draft(other, text="left"))
    for place, message in ((group, kept), (group, gone), (other, left)):
        await own.bookmarks.add(GRACE, place, message.message_id, note=None)
    await chat.messages.delete(ADA, group, gone.message_id)
    await chat.members.remove(ADA, other, GRACE)
    shown, _ = await own.bookmarks.page(GRACE, before=None, limit=10)
    texts = [marked.message.text if marked.message else None for marked in shown]
    assert texts == [None, None, "keep"]
    await own.bookmarks.remove(GRACE, left.message_id)
    shown, _ = await own.bookmarks.page(GRACE, before=None, limit=10)
    assert [m.bookmark.message_id for m in shown] == [gone.message_id, kept.message_id]
    assert len(chat.bus.published_of(BookmarkAdded)) == 3
    assert len(chat.bus.published_of(BookmarkRemoved)) == 1


async def test_a_bookmark_shows_nothing_of_a_deleted_conversation(chat, own) -> None:
    """At once, though its memberships end a little later."""
    group = await chat.group(owner=GRACE)
    message = await chat.messages.send(draft(group, GRACE))
    await own.bookmarks.add(GRACE, group, message.message_id, note=None)
    await chat.deletion.delete(GRACE, group)
    (marked,), _ = await own.bookmarks.page(GRACE, before=None, limit=5)
    assert marked.message is None


async def test_a_bookmark_keeps_its_time_and_changes_its_note(chat, own) -> None:
    """The same note again changes nothing."""
    group = await chat.group()
    message = await chat.messages.send(draft(group))
    first = await own.bookmarks.add(ADA, group, message.message_id, note="a")
    chat.clock.advance(timedelta(hours=1))
    same = await own.bookmarks.add(ADA, group, message.message_id, note=" a ")
    assert same == first
    other = await own.bookmarks.add(ADA, group, message.message_id, note="")
    assert other.bookmark.note is None
    assert other.bookmark.added_at == first.bookmark.added_at
    assert other.bookmark.user_revision == first.bookmark.user_revision + 1


async def test_bookmarks_that_are_refused(chat, own) -> None:
    """No such message, a tombstone, somebody else's, one that is not there."""
    group, foreign = await chat.group(), await chat.group(owner=GRACE)
    theirs = await chat.messages.send(draft(foreign, GRACE))
    message = await chat.messages.send(draft(group))
    await chat.messages.delete(ADA, group, message.message_id)
    with pytest.raises(MessageIsDeletedError):
        await own.bookmarks.add(ADA, group, message.message_id, note=None)
    for wrong in (theirs.message_id, MessageId(new_id())):
        with pytest.raises(MessageNotFoundError):
            await own.bookmarks.add(ADA, group, wrong, note=None)
        with pytest.raises(BookmarkNotFoundError):
            await own.bookmarks.remove(ADA, wrong)
    with pytest.raises(ConversationNotFoundError):
        await own.bookmarks.add(ADA, foreign, theirs.message_id, note=None)
    with pytest.raises(TextTooLongError):
        await own.bookmarks.add(GRACE, foreign, theirs.message_id, note="x" * 1_001)


async def test_muting_is_told_once(chat, own) -> None:
    """The same again changes nothing; a time that has passed is refused."""
    group = await chat.group()
    until = chat.clock.now() + timedelta(hours=1)
    for _ in range(2):
        await own.mutes.mute(ADA, group, MuteLevel.MENTIONS, until)
    lifted = await own.mutes.mute(ADA, group, MuteLevel.ALL, until)
    assert lifted == Mute()
    told = chat.bus.published_of(ConversationMuted)
    assert [(e.level, e.until, e.event_sequence) for e in told] == [
        ("mentions", until, 2),
        ("all", None, 3),
    ]
    with pytest.raises(DraftInvalidError):
        await own.mutes.mute(ADA, group, MuteLevel.NONE, chat.clock.now())
    with pytest.raises(ConversationNotFoundError):
        await own.mutes.mute(MALLORY, group, MuteLevel.NONE, None)


async def test_two_devices_that_read_at_once(chat, own) -> None:
    """The slower one finds the marker there and issues nothing."""
    group = await chat.group(GRACE)
    await chat.messages.send(draft(group))
    await asyncio.gather(*(own.markers.mark(GRACE, group, 1) for _ in range(2)))
    assert await chat.personal.revision(GRACE) == 2


async def test_a_hidden_message_has_no_bookmark(chat, own) -> None:
    """What was said before one's time is as if it were not there, kept or not."""
    group = await chat.group(GRACE)
    message = await chat.messages.send(draft(group, ADA))
    await own.bookmarks.add(GRACE, group, message.message_id, note=None)
    rule = Amendment(history_visibility=HistoryVisibility.JOINED)
    await chat.conversations.change(ADA, group, rule)
    await chat.members.remove(ADA, group, GRACE)
    await chat.members.add(ADA, group, GRACE, Role.MEMBER)
    (marked,), _ = await own.bookmarks.page(GRACE, before=None, limit=5)
    assert marked.message is None
    with pytest.raises(MessageNotFoundError):
        await own.bookmarks.add(GRACE, group, message.message_id, note=None)


async def test_who_has_read_a_message_is_a_list(chat, own) -> None:
    """By user id, without its sender, in pages; who may not read it finds nothing."""
    group = await chat.group(GRACE, MALLORY)
    first = await chat.messages.send(draft(group))
    second = await chat.messages.send(draft(group))
    await own.markers.mark(GRACE, group, 2)
    await own.markers.mark(MALLORY, group, 1)
    receipts = Receipts(chat.store, chat.message_store, chat.personal)

    async def readers(message, after="", limit=10):
        found, following = await receipts.page(
            ADA, group, message.message_id, after=after, limit=limit
        )
        return [member.user_id for member in found], following

    assert await readers(first) == ([GRACE, MALLORY], None)
    assert await readers(second) == ([GRACE], None)
    assert await readers(first, limit=1) == ([GRACE], GRACE)
    assert await readers(first, after=GRACE) == ([MALLORY], None)
    with pytest.raises(MessageNotFoundError):
        await receipts.page(ADA, group, MessageId(new_id()), after="", limit=1)
    with pytest.raises(ConversationNotFoundError):
        await receipts.page(user(9), group, first.message_id, after="", limit=1)


async def test_where_receipts_are_off_nobody_sees_who_read_what(chat, own) -> None:
    """Neither in the list of members nor in what changed, nor live."""
    group = await chat.group(GRACE)
    message = await chat.messages.send(draft(group))
    off = Amendment(has_receipts=False)
    await chat.conversations.change(ADA, group, off)
    await own.markers.mark(GRACE, group, 1)
    receipts = Receipts(chat.store, chat.message_store, chat.personal)
    with pytest.raises(ReceiptsAreOffError):
        await receipts.page(ADA, group, message.message_id, after="", limit=1)
    shown, _ = await chat.members.page(ADA, group, after="", limit=5)
    assert {m.user_id: m.read_seq for m in shown}[GRACE] == 0
    shown, _ = await chat.members.page(GRACE, group, after="", limit=5)
    assert {m.user_id: m.read_seq for m in shown}[GRACE] == 1
    changes = await chat.sync.changes(ADA, group, since=0, limit=9)
    assert {m.user_id: m.read_seq for m in changes.members}[GRACE] == 0
    (told,) = chat.bus.published_of(ConversationRead)
    feed = LiveFeed(chat.live, chat.rooms, chat.store, chat.sealer)
    chat.rooms.emitted.clear()
    feed.read(told)
    assert [rooms for rooms, _, _ in chat.rooms.emitted] == [(user_room(GRACE),)]
