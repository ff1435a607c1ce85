"""Live delivery over memory adapters."""

import asyncio
from datetime import timedelta

import pytest

from libs.events.catalog import (
    ConversationDeleted,
    ConversationMemberRemoved,
    MessageEdited,
    MessageSent,
)
from libs.events.tracing import current_cause
from libs.kernel import EventId, new_id
from services.chat.domain.message import encode_body
from services.chat.service.feed import LiveFeed
from services.chat.service.items import (
    LiveItem,
    conversation_room,
    user_room,
)
from services.chat.service.messages import Edit
from services.chat.service.wire import message_event
from services.chat.writer.pending import Pending
from services.chat.writer.plan import plan_batch
from tests.support.firing import Watched, assert_fires
from tests.unit.chat.support import ADA, GRACE, Chat, draft


@pytest.fixture
def chat() -> Chat:
    """A chat of its own."""
    return Chat()


def item(revision: int) -> LiveItem:
    """Return a live item that shows its revision."""
    return LiveItem("message.sent", {"revision": revision})


async def watched_group(chat: Chat):
    """Return a group that Ada watches from its current revision on."""
    group = await chat.group(GRACE)
    chat.live.acquire(group)
    revision = (await chat.store.get(group)).revision
    assert chat.live.admit(group, ADA, revision) == revision
    return group


async def send(chat: Chat, group, count: int) -> None:
    """Store messages without telling the live side."""
    async with chat.writer.running():
        for _ in range(count):
            await chat.writer.submit(draft(group))


async def test_events_come_out_in_revision_order(chat) -> None:
    """What is early waits for what is missing."""
    group = await watched_group(chat)
    for revision in (3, 2, 2, 5, 4, 1):
        chat.live.offer(group, revision, item(revision))
    assert chat.rooms.revisions() == [2, 3, 4, 5]


async def test_unwatched_conversations_cost_nothing(chat) -> None:
    """Without a local socket nothing is kept or emitted."""
    group = await chat.group()
    chat.live.offer(group, 2, item(2))
    assert not chat.rooms.emitted
    assert not chat.live.is_watched(group)


async def test_a_hole_is_filled_from_the_database(chat) -> None:
    """After 200 ms the missing ones are read; the held one is not shown twice."""
    group = await watched_group(chat)
    await send(chat, group, 3)
    watched = Watched("chat")
    watched.look()
    chat.live.offer(group, 4, item(4))
    await chat.live.fill_overdue()
    assert chat.rooms.revisions() == []
    chat.clock.advance(timedelta(seconds=0.2))
    await chat.live.fill_overdue()
    assert chat.rooms.revisions() == [2, 3, 4]
    assert {event for _, event, _ in chat.rooms.emitted} == {"message.sent"}
    watched.look()
    assert_fires("ChatFillsHoles", watched)


async def test_polling_delivers_while_the_live_queue_is_away(chat) -> None:
    """Without RabbitMQ live delivery slows down, it does not stop."""
    group = await watched_group(chat)
    await send(chat, group, 2)
    await chat.live.poll_once()
    assert chat.rooms.revisions() == [2, 3]
    chat.live.offer(group, 3, item(3))  # the broker is back with an old one
    assert chat.rooms.revisions() == [2, 3]


async def test_what_arrives_during_a_subscription_is_not_lost(chat) -> None:
    """Between acquire and admit events wait; older ones than the read are dropped."""
    group = await chat.group()
    chat.live.acquire(group)
    for revision in (2, 3):
        chat.live.offer(group, revision, item(revision))
    assert chat.live.admit(group, ADA, 2) == 3
    assert chat.rooms.revisions() == [3]


async def test_a_removed_member_leaves_in_revision_order(chat) -> None:
    """The removal is the last thing she sees, even if later events overtook it."""
    group = await watched_group(chat)
    feed = LiveFeed(chat.live, chat.rooms, chat.store, chat.sealer)
    chat.live.offer(group, 3, item(3))
    feed.take(
        ConversationMemberRemoved(
            conversation_id=group, revision=2, user_id=GRACE, removed_by=ADA
        ),
        EventId(new_id()),
    )
    assert chat.rooms.revisions() == [2, 3]
    assert chat.rooms.removed == [(conversation_room(group), GRACE)]
    assert chat.rooms.emitted[0][0] == (conversation_room(group), user_room(GRACE))


async def test_a_subscriber_removed_meanwhile_is_refused(chat) -> None:
    """A membership that was read before the removal does not let anybody in."""
    group = await watched_group(chat)
    chat.live.acquire(group)
    removal = LiveItem("conversation.member_removed", {"revision": 2}, GRACE)
    chat.live.offer(group, 2, removal)
    assert chat.live.admit(group, GRACE, 1) is None
    assert chat.live.admit(group, ADA, 1) == 2


async def test_a_fill_shows_removals_too(chat) -> None:
    """Membership is part of what changed, and takes effect at its revision."""
    group = await watched_group(chat)
    chat.live.expel, expel = (lambda *_: None), chat.live.expel  # by another process
    await chat.members.remove(ADA, group, GRACE)
    chat.live.expel = expel
    await chat.live.poll_once()
    assert chat.rooms.revisions() == [2, 3]  # and the system message
    assert chat.rooms.removed == [(conversation_room(group), GRACE)]


async def test_a_deleted_conversation_is_told_and_left(chat) -> None:
    """By its event, or by the poll where the event was missed; then nobody is in."""
    for is_missed in (False, True):
        group = await watched_group(chat)
        await chat.deletion.delete(ADA, group)
        if is_missed:
            await chat.live.poll_once()
        else:
            (event,) = chat.bus.published_of(ConversationDeleted)
            feed = LiveFeed(chat.live, chat.rooms, chat.store, chat.sealer)
            feed.take(event, EventId(new_id()))
        told = {"conversation_id": group, "revision": 2}
        room = conversation_room(group)
        assert chat.rooms.emitted[-1] == ((room,), "conversation.deleted", told)
        assert chat.rooms.cleared[-1] == room
        assert not chat.live.is_watched(group)


@pytest.mark.parametrize("is_missed", [False, True])
async def test_what_happens_to_hidden_messages_is_not_told(chat, is_missed) -> None:
    """AZ-4: an edit of what was said before the joining goes to the others alone."""
    group = await chat.group(GRACE)
    await send(chat, group, 2)
    revision = (await chat.store.get(group)).revision
    chat.live.acquire(group)
    chat.live.admit(group, ADA, revision)
    chat.live.admit(group, GRACE, revision, visible_from_seq=2)
    for message in list(chat.store.messages.values()):
        edit = Edit(text="changed")
        await chat.messages.edit(message.sender_id, group, message.message_id, edit)
    if is_missed:
        await chat.live.poll_once()
    else:
        feed = LiveFeed(chat.live, chat.rooms, chat.store, chat.sealer)
        for event in chat.bus.published_of(MessageEdited):
            feed.take(event, EventId(new_id()))
    told = [
        (payload["message"]["seq"], list(blind))
        for (_, _, payload), blind in zip(
            chat.rooms.emitted, chat.rooms.excepted, strict=True
        )
    ]
    assert told == [(1, [GRACE]), (2, [])]
    chat.live.admit(group, GRACE, revision)
    assert not chat.live._watches[group].visible_from


async def test_releasing_the_last_watcher_forgets_the_conversation(chat) -> None:
    """State is kept for conversations that somebody here listens to."""
    group = await watched_group(chat)
    chat.live.acquire(group)
    chat.live.release(group)
    assert chat.live.is_watched(group)
    chat.live.release(group)
    assert not chat.live.is_watched(group)


async def test_an_event_shows_the_message_in_its_one_shape(chat) -> None:
    """The live payload equals what REST shows of the stored message."""
    group = await watched_group(chat)
    feed = LiveFeed(chat.live, chat.rooms, chat.store, chat.sealer)
    sent = draft(group, text="héllo", mentions=(GRACE,))
    future = asyncio.get_running_loop().create_future()
    pending = Pending(sent, future, current_cause())
    states = await chat.store.load_states({group: [ADA]})
    plan = plan_batch([pending], states, chat.sealer, chat.clock.now())
    message, event, _ = plan.writes[0]
    feed.take(event, pending.event_id)
    assert chat.rooms.emitted[0][1:] == ("message.sent", message_event(message))


async def test_content_that_does_not_open_is_shown_as_absent(chat) -> None:
    """A swapped event is not shown as somebody's words, and stops nothing."""
    group = await watched_group(chat)
    feed = LiveFeed(chat.live, chat.rooms, chat.store, chat.sealer)
    async with chat.writer.running():
        stored = await chat.writer.submit(draft(group))
    (event,) = chat.bus.published_of(MessageSent)
    feed.take(event, EventId(new_id()))  # another event's id
    message = chat.rooms.emitted[0][2]["message"]
    assert (message["text"], message["seq"]) == (None, stored.seq)


async def test_an_edit_shows_its_author_and_text(chat) -> None:
    """Only authors edit, so the editor is the sender."""
    group = await watched_group(chat)
    feed = LiveFeed(chat.live, chat.rooms, chat.store, chat.sealer)
    event_id = EventId(new_id())
    content = chat.sealer.seal(
        encode_body("better"), event_id, "message.edited", "content", group
    )
    feed.take(
        MessageEdited(
            conversation_id=group,
            message_id=new_id(),
            seq=1,
            revision=2,
            edited_by=ADA,
            edited_at=chat.clock.now(),
            content=content,
            mentions=(),
            mention_kinds=(),
        ),
        event_id,
    )
    (_, name, payload) = chat.rooms.emitted[0]
    assert name == "message.edited"
    assert payload["message"]["text"] == "better"
    assert payload["message"]["sender_id"] == ADA
