"""Conversations, members, messages and sync over memory adapters."""

import pytest

from libs.events.catalog import (
    ConversationArchived,
    ConversationCreated,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRead,
    ConversationUpdated,
    MessageDeleted,
    MessageEdited,
)
from libs.kernel import new_id
from services.chat.domain.amendment import Amendment
from services.chat.domain.conversation import ConversationKind, Role
from services.chat.domain.errors import (
    ConversationNotFoundError,
    DraftInvalidError,
    LastOwnerError,
    MemberNotFoundError,
    MessageIsDeletedError,
    MessageNotFoundError,
    NotPermittedError,
    ProjectNotFoundError,
    RevisionUnknownError,
    TextTooLongError,
    UserNotFoundError,
)
from services.chat.domain.user import User
from services.chat.service.markers import ReadMarkers
from services.chat.service.messages import Edit
from services.chat.service.openings import Opening
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft, user


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


def opening(kind: str, *members, **more) -> Opening:
    """Return what somebody asks for."""
    return Opening(
        kind=ConversationKind(kind),
        title=more.pop("title", None),
        member_ids=members,
        **more,
    )


async def test_a_pair_has_one_direct_conversation(chat) -> None:
    """Whoever opens it, and how often, it is the same."""
    first, is_new = await chat.openings.open(ADA, opening("direct", GRACE))
    second, is_new_again = await chat.openings.open(GRACE, opening("direct", ADA))
    assert (is_new, is_new_again) == (True, False)
    assert first.conversation == second.conversation
    assert len(chat.bus.published_of(ConversationCreated)) == 1


async def test_opening_a_group_makes_its_creator_owner(chat) -> None:
    """The others are members; the event names everybody and seals the title."""
    opened, _ = await chat.openings.open(
        ADA, opening("group", GRACE, GRACE, ADA, title="  Planning  week ")
    )
    assert opened.conversation.title == "Planning week"
    assert opened.member.role is Role.OWNER
    (event,) = chat.bus.published_of(ConversationCreated)
    assert event.members == ((ADA, "owner"), (GRACE, "member"))
    assert b"Planning" not in event.title.ciphertext


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (opening("group"), DraftInvalidError),
        (opening("group", title=" "), DraftInvalidError),
        (opening("group", title="x" * 201), DraftInvalidError),
        (opening("direct"), DraftInvalidError),
        (opening("direct", ADA), DraftInvalidError),
        (opening("direct", GRACE, MALLORY), DraftInvalidError),
        (opening("direct", GRACE, title="x"), DraftInvalidError),
        (opening("direct", GRACE, project_id=new_id()), DraftInvalidError),
        (opening("group", title="x", project_id=new_id()), DraftInvalidError),
        (opening("channel", title="x", project_id=new_id()), ProjectNotFoundError),
        (opening("group", user(9), title="x"), UserNotFoundError),
        (opening("direct", user(9)), UserNotFoundError),
    ],
)
async def test_what_cannot_be_opened(chat, asked, error) -> None:
    """Each bad request has its error, and nothing is stored."""
    with pytest.raises(error):
        await chat.openings.open(ADA, asked)
    assert not chat.store.conversations


async def test_suspended_users_cannot_be_brought_in(chat) -> None:
    """The projection of users decides."""
    chat.users.users[GRACE] = User(user_id=GRACE, is_verified=True, is_suspended=True)
    group = await chat.group()
    with pytest.raises(UserNotFoundError):
        await chat.members.add(ADA, group, GRACE, Role.MEMBER)


async def test_adding_twice_changes_nothing(chat) -> None:
    """The second time answers with the membership and emits nothing."""
    group = await chat.group()
    first = await chat.members.add(ADA, group, GRACE, Role.MEMBER)
    second = await chat.members.add(ADA, group, GRACE, Role.ADMIN)
    assert first == second
    assert len(chat.bus.published_of(ConversationMemberAdded)) == 1
    stored = await chat.store.get(group)
    assert (stored.revision, stored.members_version) == (3, 2)


async def test_who_joins_late_has_nothing_unread(chat) -> None:
    """Unread counts from joining."""
    group = await chat.group()
    await chat.messages.send(draft(group))
    member = await chat.members.add(ADA, group, GRACE, Role.GUEST)
    assert member.read_seq == 1


async def test_removal_hides_the_conversation(chat) -> None:
    """After it every use case answers as if the conversation did not exist."""
    group = await chat.group(GRACE)
    await chat.members.remove(ADA, group, GRACE)
    for attempt in (
        chat.conversations.get(GRACE, group),
        chat.messages.send(draft(group, GRACE)),
        chat.messages.page(GRACE, group, before=None, after=None, limit=10),
        chat.sync.changes(GRACE, group, since=0, limit=10),
        chat.members.page(GRACE, group, after="", limit=10),
        chat.members.remove(GRACE, group, ADA),
    ):
        with pytest.raises(ConversationNotFoundError):
            await attempt
    (event,) = chat.bus.published_of(ConversationMemberRemoved)
    assert (event.revision, event.removed_by) == (2, ADA)


async def test_members_cannot_remove_but_leave(chat) -> None:
    """Leaving needs no rank."""
    group = await chat.group(GRACE, MALLORY)
    with pytest.raises(NotPermittedError):
        await chat.members.remove(GRACE, group, MALLORY)
    await chat.members.remove(GRACE, group, GRACE)
    with pytest.raises(MemberNotFoundError):
        await chat.members.remove(ADA, group, GRACE)


async def test_the_last_owner_stays_while_others_do(chat) -> None:
    """Once alone, the owner may go too."""
    group = await chat.group(GRACE)
    with pytest.raises(LastOwnerError):
        await chat.members.remove(ADA, group, ADA)
    await chat.members.remove(GRACE, group, GRACE)
    await chat.members.remove(ADA, group, ADA)
    assert await chat.store.count_members(group) == 0


async def test_renaming_and_archiving_move_the_revision(chat) -> None:
    """Each change is one revision; the same again is none."""
    group = await chat.group(GRACE)
    with pytest.raises(NotPermittedError):
        await chat.conversations.change(GRACE, group, Amendment(title="Mine"))
    for title in ("Other", "Other"):
        await chat.conversations.change(ADA, group, Amendment(title=title))
    for is_archived in (True, True, False):
        changed = await chat.conversations.change(
            ADA, group, Amendment(is_archived=is_archived)
        )
    assert changed.conversation.revision == 5  # renaming also posts a message
    assert len(chat.bus.published_of(ConversationUpdated)) == 1
    assert len(chat.bus.published_of(ConversationArchived)) == 2


async def test_editing_is_for_the_author(chat) -> None:
    """Others see the message but may not change it, not even the owner."""
    group = await chat.group(GRACE)
    message = await chat.messages.send(draft(group, GRACE, "first"))
    with pytest.raises(NotPermittedError):
        await chat.messages.edit(ADA, group, message.message_id, Edit(text="hers"))
    edited = await chat.messages.edit(
        GRACE, group, message.message_id, Edit(text="second")
    )
    assert (edited.seq, edited.revision, edited.text) == (1, 3, "second")
    assert edited.edited_at
    assert len(chat.bus.published_of(MessageEdited)) == 1


async def test_deleting_leaves_a_tombstone(chat) -> None:
    """It keeps its seq, loses its text, and cannot be edited."""
    group = await chat.group(GRACE, MALLORY)
    message = await chat.messages.send(draft(group, GRACE))
    with pytest.raises(NotPermittedError):
        await chat.messages.delete(MALLORY, group, message.message_id)
    for _ in range(2):
        await chat.messages.delete(ADA, group, message.message_id)
    page = await chat.messages.page(GRACE, group, before=None, after=None, limit=5)
    (tombstone,) = page.messages
    assert (tombstone.seq, tombstone.text, tombstone.is_deleted) == (1, None, True)
    assert len(chat.bus.published_of(MessageDeleted)) == 1
    with pytest.raises(MessageIsDeletedError):
        await chat.messages.edit(GRACE, group, message.message_id, Edit(text="x"))
    with pytest.raises(MessageNotFoundError):
        await chat.messages.delete(ADA, group, new_id())


async def test_sending_goes_on_after_edits(chat) -> None:
    """The writer notices revisions that other paths took."""
    group = await chat.group()
    first = await chat.messages.send(draft(group))
    await chat.messages.edit(ADA, group, first.message_id, Edit(text="x"))
    second = await chat.messages.send(draft(group))
    assert (second.seq, second.revision) == (2, 4)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"text": ""}, DraftInvalidError),
        ({"text": " \n"}, DraftInvalidError),
        ({"text": "\ud800"}, DraftInvalidError),
        ({"text": "x" * 16_001}, TextTooLongError),
        ({"text": "\U0001f600" * 8_200}, TextTooLongError),
        ({"client_message_id": "1"}, DraftInvalidError),
        ({"client_message_id": new_id().upper()}, DraftInvalidError),
        ({"attachments": (new_id(),) * 11}, DraftInvalidError),
        ({"attachments": ("x",)}, DraftInvalidError),
        ({"mentions": (new_id(),) * 51}, DraftInvalidError),
        ({"mentions": ("everybody",)}, DraftInvalidError),
        ({"reply_to_seq": 0}, DraftInvalidError),
        ({"reply_to_seq": 7}, DraftInvalidError),
    ],
)
async def test_drafts_that_can_never_be_stored(chat, more, error) -> None:
    """Each broken rule has its error."""
    group = await chat.group()
    with pytest.raises(error):
        await chat.messages.send(draft(group, **more))
    assert not chat.store.messages


async def test_limits_are_inclusive(chat) -> None:
    """16,000 code points and 32 KiB are allowed; a picture needs no text."""
    group = await chat.group()
    await chat.messages.send(draft(group, text="x" * 16_000))
    await chat.messages.send(draft(group, text="\u00e9" * 16_000))
    picture = await chat.uploaded(ADA)
    await chat.messages.send(draft(group, text="", attachments=(picture,)))
    assert len(chat.store.messages) == 3


async def test_history_pages_both_ways(chat) -> None:
    """Pages touch: nothing is left out or repeated."""
    group = await chat.group()
    for number in range(7):
        await chat.messages.send(draft(group, text=f"{number}"))

    async def seqs(**bounds):
        bounds = {"before": None, "after": None, **bounds}
        page = await chat.messages.page(ADA, group, limit=3, **bounds)
        return [message.seq for message in page.messages], page.has_more

    assert await seqs() == ([5, 6, 7], True)
    assert await seqs(before=5) == ([2, 3, 4], True)
    assert await seqs(before=2) == ([1], False)
    assert await seqs(after=0) == ([1, 2, 3], True)
    assert await seqs(after=6) == ([7], False)


async def test_changes_page_to_the_current_state(chat) -> None:
    """Whatever the page size, all that changed comes once, with its last revision."""
    group = await chat.group(GRACE)
    for number in range(5):
        await chat.messages.send(draft(group, text=f"{number}"))
    message = await chat.messages.page(ADA, group, before=2, after=None, limit=1)
    await chat.messages.edit(
        ADA, group, message.messages[0].message_id, Edit(text="new")
    )
    await chat.conversations.change(ADA, group, Amendment(title="Renamed"))
    await chat.members.remove(ADA, group, GRACE)
    since, revisions, has_more = 0, [], True
    while has_more:
        changes = await chat.sync.changes(ADA, group, since=since, limit=2)
        shown = (*changes.messages, *changes.members)
        revisions += sorted(change.revision for change in shown)
        since, has_more = changes.revision, changes.has_more
    assert revisions == [1, 3, 4, 5, 6, 7, 9, 10, 11]
    assert since == 11
    everything = await chat.sync.changes(ADA, group, since=0, limit=100)
    assert everything.conversation.title == "Renamed"
    texts = [m.text for m in everything.messages if m.notice is None]
    assert texts == ["1", "2", "3", "4", "new"]


async def test_a_revision_from_the_future_is_refused(chat) -> None:
    """Who knows more than the server must begin again, not wait for it to catch up."""
    group = await chat.group(GRACE)
    at_end = await chat.sync.changes(ADA, group, since=1, limit=10)
    assert (at_end.revision, at_end.has_more) == (1, False)
    with pytest.raises(RevisionUnknownError) as refused:
        await chat.sync.changes(ADA, group, since=2, limit=10)
    assert refused.value.details == {"revision": 1}


async def test_read_markers_only_go_forward(chat) -> None:
    """A marker is clipped to the newest message and never goes back."""
    group = await chat.group(GRACE)
    markers = ReadMarkers(chat.bus, chat.store, chat.personal, chat.clock)
    for _ in range(3):
        await chat.messages.send(draft(group))
    assert (await markers.mark(GRACE, group, 2))[1] == 2
    assert (await markers.mark(GRACE, group, 1))[1] == 2
    assert (await markers.mark(GRACE, group, 2**50))[1] == 3
    assert (await chat.store.get_member(group, GRACE)).read_seq == 3
    assert len(chat.bus.published_of(ConversationRead)) == 1
    await markers.flush()
    assert [e.read_seq for e in chat.bus.published_of(ConversationRead)] == [2, 3]
    with pytest.raises(ConversationNotFoundError):
        await markers.mark(MALLORY, group, 1)
