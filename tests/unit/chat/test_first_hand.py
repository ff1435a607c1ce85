"""Messages that reach sockets from their commit, and once more by the broker."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from libs.events.catalog import ConversationMemberRemoved, MessageSent
from libs.kernel import EventId, new_id
from services.chat.ports.partitions import ToldMessage
from services.chat.service.feed import LiveFeed
from services.chat.service.first_hand import FirstHand
from services.chat.service.items import conversation_room
from services.chat.service.wire import message_event
from services.chat.sockets.frames import encode_payload
from tests.unit.chat.support import ADA, GRACE, Chat, draft


class Told:
    """`Siblings` that remember what they are told."""

    def __init__(self, *, are_linked: bool = True) -> None:
        self.are_linked = are_linked
        self.messages: list[ToldMessage] = []

    def tell(self, messages) -> None:
        """Remember."""
        self.messages += messages


class Place:
    """A chat process, and what it tells the others.

    With `wire` it plays both parts: what one process told, another one takes.
    """

    def __init__(self, *, are_linked: bool = True) -> None:
        self.chat = Chat()
        self.siblings = Told(are_linked=are_linked)
        self.first_hand = FirstHand(self.chat.live, self.chat.rooms, self.siblings)

    @property
    def feed(self) -> LiveFeed:
        """What takes the broker's events."""
        chat = self.chat
        return LiveFeed(chat.live, chat.rooms, chat.store, chat.sealer)

    async def watched_group(self):
        """Return a group that Ada and Grace watch from its current revision on."""
        chat = self.chat
        group = await chat.group(GRACE)
        revision = (await chat.store.get(group)).revision
        for user_id in (ADA, GRACE):
            chat.live.acquire(group)
            assert chat.live.admit(group, user_id, revision) == revision
        return group

    async def told(self, group, count: int) -> list[ToldMessage]:
        """Return what another process told of messages that it committed."""
        other = FirstHand(Chat().live, self.chat.rooms, self.siblings)
        sent = [await self.chat.messages.send(draft(group)) for _ in range(count)]
        other.stored(sent)
        return self.siblings.messages

    def deliver(self, *revisions: int) -> None:
        """Let the broker bring the messages of some revisions."""
        by_revision = {e.revision: e for e in self.chat.bus.published_of(MessageSent)}
        for revision in revisions:
            self.feed.take(by_revision[revision], EventId(new_id()))


def passed_over() -> float:
    """Return how many messages the live queue brought in vain."""
    labels = {"subscription": "chat.live.memory-stream", "type": "message.sent"}
    labels["outcome"] = "unwanted"
    return REGISTRY.get_sample_value("events_handled_total", labels) or 0.0


@pytest.fixture
async def place():
    """A process whose writer runs, with siblings."""
    place = Place()
    async with place.chat.writer.running():
        yield place


async def test_a_message_comes_from_its_commit(place) -> None:
    """In its one shape, here and to the siblings; who sent it is answered first."""
    chat = place.chat
    chat.writer.on_stored(place.first_hand.stored)
    group = await place.watched_group()
    message = await chat.messages.send(draft(group))
    assert not chat.rooms.emitted
    await asyncio.sleep(0)
    ((rooms, event, payload),) = chat.rooms.emitted
    assert (rooms, event) == ((conversation_room(group),), "message.sent")
    assert encode_payload(payload) == encode_payload(message_event(message))
    (told,) = place.siblings.messages
    assert (told.conversation_id, told.revision, told.seq) == (group, 2, 1)
    assert told.payload == encode_payload(message_event(message))


async def test_what_was_told_is_not_opened_again(place) -> None:
    """The broker's event is passed over by its type, key and number alone."""
    chat = place.chat
    group = await chat.group(GRACE)
    told = await place.told(group, 3)
    chat.rooms.emitted.clear()
    (first, *later) = chat.bus.published_of(MessageSent)
    async with chat.watching(group):
        chat.live._watches[group].buffer.delivered = 1
        place.first_hand.told([told[0], told[2]])
        async with chat.bus.transaction() as transaction:
            for event in (first, *later):
                transaction.publish(event)
        before = passed_over()
        await chat.bus.settled()
    assert passed_over() - before == 2
    assert chat.rooms.revisions() == [2, 3, 4]


async def test_nothing_is_encoded_for_nobody() -> None:
    """A lone process opens up only what somebody here listens to."""
    place = Place(are_linked=False)
    chat = place.chat
    async with chat.writer.running():
        group = await chat.group()
        sent = await chat.messages.send(draft(group))
        place.first_hand.stored([sent])
        assert not place.siblings.messages
        watched = await place.watched_group()
        place.first_hand.stored([await chat.messages.send(draft(watched))])
    assert chat.rooms.revisions() == [2]


async def test_what_was_told_and_what_the_broker_brings_are_one(place) -> None:
    """In any order of both ways each revision comes once, in its order."""
    group = await place.watched_group()
    told = await place.told(group, 4)
    place.deliver(3)
    place.first_hand.told(told[:1])
    place.first_hand.told(told[2:3])
    place.deliver(2, 3, 4)
    place.first_hand.told(told)
    place.deliver(5)
    assert place.chat.rooms.revisions() == [2, 3, 4, 5]


@pytest.mark.parametrize("lost", [[], [1], [0, 1, 2], [0, 2]])
async def test_what_the_link_loses_the_broker_brings(place, lost) -> None:
    """A link cut in the middle, or an owner that dies between commit and word."""
    group = await place.watched_group()
    told = await place.told(group, 3)
    place.first_hand.told([m for n, m in enumerate(told) if n not in lost])
    awaited = [r for r in (2, 3, 4) if place.chat.live.awaits(group, r)]
    assert set(awaited) == {lost_one + 2 for lost_one in lost}
    place.deliver(*awaited)
    assert place.chat.rooms.revisions() == [2, 3, 4]


async def test_what_both_lose_is_read(place) -> None:
    """Behind a hole what was told waits, then the database tells what is missing."""
    group = await place.watched_group()
    told = await place.told(group, 3)
    place.first_hand.told(told[2:])
    assert not place.chat.rooms.emitted
    place.chat.clock.advance(timedelta(seconds=0.2))
    await place.chat.live.fill_overdue()
    assert place.chat.rooms.revisions() == [2, 3, 4]


@pytest.mark.parametrize("is_read", [False, True])
async def test_a_removed_member_is_told_nothing_newer(place, is_read) -> None:
    """SR-3: a message behind the removal waits for it, whichever way it comes."""
    chat, rooms = place.chat, place.chat.rooms
    group = await place.watched_group()
    chat.live.expel, expel = (lambda *_: None), chat.live.expel  # another process's
    await chat.members.remove(ADA, group, GRACE)
    chat.live.expel = expel
    told = await place.told(group, 1)
    place.first_hand.told(told)
    assert not rooms.emitted
    if is_read:
        chat.clock.advance(timedelta(seconds=0.2))
        await chat.live.fill_overdue()
    else:
        (removal,) = chat.bus.published_of(ConversationMemberRemoved)
        place.feed.take(removal, EventId(new_id()))
        assert rooms.removed == [(conversation_room(group), GRACE)]
        place.deliver(3)  # the system message
    assert rooms.removed == [(conversation_room(group), GRACE)]
    assert rooms.revisions() == [2, 3, 4]


async def test_hidden_messages_stay_hidden(place) -> None:
    """AZ-4: who joined late is told nothing of what is below their first seq."""
    chat = place.chat
    group = await place.watched_group()
    chat.live.admit(group, GRACE, 1, visible_from_seq=2)
    place.first_hand.told(await place.told(group, 2))
    assert [list(blind) for blind in chat.rooms.excepted] == [[GRACE], []]


async def test_what_is_told_during_a_subscription_is_not_lost(place) -> None:
    """Between acquire and admit it waits, and so do the broker's events of it."""
    chat = place.chat
    group = await chat.group(GRACE)
    chat.live.acquire(group)
    place.first_hand.told(await place.told(group, 2))
    assert chat.live.awaits(group, 2)
    assert chat.live.admit(group, ADA, 2) == 3
    assert chat.rooms.revisions() == [3]


async def test_a_listener_that_fails_harms_no_commit(place) -> None:
    """Whatever goes wrong behind a commit, its senders have their answers."""
    failures = []

    def fail(messages) -> None:
        failures.append(messages)
        raise ValueError

    place.chat.writer.on_stored(fail)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    group = await place.chat.group()
    sent = [await place.chat.messages.send(draft(group)) for _ in range(2)]
    await asyncio.sleep(0)
    assert [message.seq for message in sent] == [1, 2]
    assert [[m.seq for m in messages] for messages in failures] == [[1], [2]]
