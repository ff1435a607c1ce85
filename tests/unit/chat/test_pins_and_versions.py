"""Pinned messages, what edited ones said before, and jumping into history."""

from datetime import timedelta

import msgspec
import pytest

from libs.events.catalog import MessageEdited, MessagePinned, MessageUnpinned
from services.chat.domain.conversation import Role
from services.chat.domain.errors import (
    DraftInvalidError,
    EditWindowClosedError,
    MessageIsDeletedError,
    NotPermittedError,
    TooManyPinsError,
)
from services.chat.domain.limits import Limits
from services.chat.domain.message import MentionKind
from services.chat.service.messages import Edit
from tests.unit.chat.support import ADA, GRACE, Chat, draft


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


async def said(chat, group, *texts):
    """Let Ada say something; return her messages."""
    return [await chat.messages.send(draft(group, text=text)) for text in texts]


async def test_pins_are_the_last_pinned_first(chat) -> None:
    """Each pin is a revision with its event; a second one is none."""
    group = await chat.group(GRACE)
    messages = await said(chat, group, "one", "two", "three")
    for message in (messages[2], messages[0], messages[0]):
        chat.clock.advance(timedelta(seconds=1))
        await chat.pins.pin(GRACE, group, message.message_id)
    shown, before = await chat.pins.page(ADA, group, before=None, limit=1)
    assert [m.text for m in shown] == ["one"]
    rest, end = await chat.pins.page(ADA, group, before=before, limit=1)
    assert ([m.text for m in rest], end) == (["three"], None)
    assert len(chat.bus.published_of(MessagePinned)) == 2
    for _ in range(2):
        taken = await chat.pins.unpin(ADA, group, messages[0].message_id)
    assert taken.pin is None
    (event,) = chat.bus.published_of(MessageUnpinned)
    assert event.revision == taken.revision == 7


async def test_what_cannot_be_pinned(chat) -> None:
    """Too many, tombstones, notices, and nothing by guests."""
    group = await chat.group(GRACE)
    chat.pins._limits = Limits(pins=1)
    one, two, three = await said(chat, group, "one", "two", "three")
    await chat.pins.pin(ADA, group, one.message_id)
    with pytest.raises(TooManyPinsError):
        await chat.pins.pin(ADA, group, two.message_id)
    await chat.messages.delete(ADA, group, three.message_id)
    with pytest.raises(MessageIsDeletedError):
        await chat.pins.pin(ADA, group, three.message_id)
    await chat.members.remove(ADA, group, GRACE)
    notice = (await chat.messages.page(ADA, group, limit=1)).messages[0]
    with pytest.raises(DraftInvalidError):
        await chat.pins.pin(ADA, group, notice.message_id)
    await chat.members.add(ADA, group, GRACE, Role.GUEST)
    with pytest.raises(NotPermittedError):
        await chat.pins.unpin(GRACE, group, one.message_id)


async def test_a_deleted_message_is_pinned_no_more(chat) -> None:
    """Its place in the list is free again."""
    group = await chat.group()
    (message,) = await said(chat, group, "one")
    await chat.pins.pin(ADA, group, message.message_id)
    await chat.messages.delete(ADA, group, message.message_id)
    assert await chat.pins.page(ADA, group, before=None, limit=5) == ([], None)


async def test_every_edit_keeps_what_was_said_before(chat) -> None:
    """The newest first; the same again is no edit."""
    group = await chat.group(GRACE)
    (message,) = await said(chat, group, "v1")
    place = (ADA, group, message.message_id)
    for text in ("v2", "v2", "v3", "v4"):
        chat.clock.advance(timedelta(minutes=1))
        edited = await chat.messages.edit(*place, Edit(text=text))
    assert (edited.edit_count, edited.text) == (3, "v4")
    assert len(chat.bus.published_of(MessageEdited)) == 3
    found, before = await chat.messages.versions(*place, before=None, limit=2)
    assert [(v.number, v.text) for v in found] == [(3, "v3"), (2, "v2")]
    rest, end = await chat.messages.versions(*place, before=before, limit=2)
    assert ([v.text for v in rest], end) == (["v1"], None)
    assert rest[0].written_at == message.sent_at


async def test_only_the_author_and_moderators_see_versions(chat) -> None:
    """Others see what it says now; deletion destroys all of it."""
    group = await chat.group(GRACE)
    message = await chat.messages.send(draft(group, GRACE, "oops"))
    place = (group, message.message_id)
    await chat.messages.edit(GRACE, *place, Edit(text="better"))
    found, _ = await chat.messages.versions(ADA, *place, before=None, limit=5)
    assert [v.text for v in found] == ["oops"]
    (own,) = await said(chat, group, "mine")
    with pytest.raises(NotPermittedError):
        await chat.messages.versions(GRACE, group, own.message_id, before=None, limit=5)
    await chat.messages.delete(GRACE, *place)
    assert not chat.versions.versions


async def test_only_so_many_versions_are_kept(chat) -> None:
    """The oldest go; the count goes on."""
    group = await chat.group()
    (message,) = await said(chat, group, "v0")
    chat.messages._limits = Limits(edits_kept=2)
    place = (ADA, group, message.message_id)
    for number in range(1, 5):
        edited = await chat.messages.edit(*place, Edit(text=f"v{number}"))
    found, _ = await chat.messages.versions(*place, before=None, limit=5)
    assert [v.text for v in found] == ["v3", "v2"]
    assert edited.edit_count == 4


@pytest.mark.parametrize(
    "edit",
    [
        Edit(text="new"),
        Edit(text="old", mentions=(GRACE,)),
        Edit(text="old", mention_kinds=(MentionKind.ALL,)),
    ],
)
async def test_az_5_an_edit_of_any_field_comes_in_time(chat, edit) -> None:
    """AZ-5: where the installation says so, of the text and of whom it calls."""
    group = await chat.group(GRACE)
    (message,) = await said(chat, group, "old")
    chat.messages._limits = Limits(edit_window_seconds=60)
    chat.clock.advance(timedelta(seconds=61))
    with pytest.raises(EditWindowClosedError):
        await chat.messages.edit(ADA, group, message.message_id, edit)
    chat.messages._limits = Limits(edit_window_seconds=62)
    await chat.messages.edit(ADA, group, message.message_id, edit)


@pytest.mark.parametrize(
    ("asked", "seqs", "has_before", "has_after"),
    [
        ({"around": 5, "limit": 4}, [4, 5, 6, 7], True, True),
        ({"around": 5, "limit": 1}, [5], True, True),
        ({"around": 1, "limit": 4}, [1, 2, 3], False, True),
        ({"around": 9, "limit": 5}, [7, 8, 9], True, False),
        ({"around": 50, "limit": 4}, [8, 9], True, False),
        ({"before": 3, "limit": 5}, [1, 2], False, True),
        ({"after": 7, "limit": 5}, [8, 9], True, False),
        ({"after": 9, "limit": 5}, [], True, False),
        ({"before": 1, "limit": 5}, [], False, True),
        ({"limit": 3}, [7, 8, 9], True, False),
    ],
)
async def test_a_page_tells_what_is_on_both_sides(
    chat, asked, seqs, has_before, has_after
) -> None:
    """So that a client that jumped knows where it can scroll."""
    group = await chat.group()
    await said(chat, group, *"123456789")
    page = await chat.messages.page(ADA, group, **asked)
    assert [m.seq for m in page.messages] == seqs
    assert (page.has_before, page.has_after) == (has_before, has_after)


async def test_pages_begin_where_history_is_visible(chat) -> None:
    """What is hidden, or was taken by retention, is no side to scroll to."""
    group = await chat.group(GRACE)
    await said(chat, group, *"12345")
    known = chat.store.members[group, GRACE]
    late = msgspec.structs.replace(known, visible_from_seq=3)
    chat.store.members[group, GRACE] = late
    page = await chat.messages.page(GRACE, group, around=3, limit=4)
    assert [m.seq for m in page.messages] == [3, 4, 5]
    assert (page.has_before, page.has_after) == (False, False)
