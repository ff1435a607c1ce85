"""Catching up in one call: pages, budgets, what is gone; and no hole, ever."""

import asyncio
import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.events.envelope import decode_event
from libs.kernel import new_id
from services.chat.domain.conversation import ConversationKind, Role
from services.chat.domain.errors import OwnRevisionUnknownError
from services.chat.domain.personal import MuteLevel
from services.chat.repository.memory import MemoryMentions
from services.chat.service import catchup
from services.chat.service.bookmarks import Bookmarks
from services.chat.service.catchup import CatchUp, Known
from services.chat.service.drafts import Drafts
from services.chat.service.feed import LiveFeed
from services.chat.service.live import LiveDelivery, LiveLimits
from services.chat.service.markers import ReadMarkers
from services.chat.service.messages import Edit
from services.chat.service.mutes import Mutes
from services.chat.service.openings import Opening
from services.chat.service.own_core import OwnCore
from services.chat.service.own_feed import OwnFeed
from services.chat.service.own_items import draft_wire
from services.chat.service.own_live import OwnDelivery
from services.chat.service.own_messages import OwnMessages
from services.chat.service.own_stream import OwnStream
from services.chat.service.receipts import Receipts
from services.chat.sockets.handlers import SocketHandlers
from services.chat.sockets.rooms import LocalRooms
from tests.unit.chat.client_model import ModelClient, json_of, refused
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft


class House:
    """A chat with sockets, whose events arrive when and as often as a test likes."""

    def __init__(self) -> None:
        chat = self.chat = Chat()
        self.rooms = LocalRooms()
        limits = LiveLimits(patience_seconds=0)
        self.live = LiveDelivery(
            self.rooms, chat.store, chat.sync, clock=chat.clock, limits=limits
        )
        chat.live = chat.removals._live = self.live
        stream = OwnStream(chat.personal)
        own_live = OwnDelivery(
            self.rooms, chat.personal, stream, clock=chat.clock, limits=limits
        )
        shared = (chat.bus, chat.store)
        self.own = OwnCore(
            stream=stream,
            drafts=Drafts(*shared, chat.draft_store, chat.clock),
            bookmarks=Bookmarks(
                *shared, chat.message_store, chat.bookmark_store, clock=chat.clock
            ),
            mutes=Mutes(*shared, chat.personal, chat.clock),
            messages=OwnMessages(chat.eraser, chat.message_store),
            live=own_live,
            feed=OwnFeed(own_live),
            catchup=CatchUp(
                chat.conversations,
                chat.store,
                chat.sync,
                stream=stream,
                mentions=MemoryMentions(chat.store),
            ),
            receipts=Receipts(chat.store, chat.message_store, chat.personal),
        )
        self.markers = ReadMarkers(*shared, chat.personal, chat.clock)
        self.feed = LiveFeed(self.live, self.rooms, chat.store, chat.sealer)
        self.handlers = SocketHandlers(
            chat.conversations,
            self.markers,
            live=self.live,
            rooms=self.rooms,
            typing=None,
            own=self.own,
        )
        self.on_the_way: list = []
        chat.bus._transactions._on_commit = self._committed

    def _committed(self, rows) -> None:
        self.on_the_way += [decode_event(row.body) for row in rows]

    def arrive(self, at: int) -> None:
        """Let one event arrive that is on its way."""
        received = self.on_the_way.pop(at)
        self.feed.take(received.event, received.id)
        self.own.feed.take(received.event)

    async def settle(self) -> None:
        """Let everything be told and arrive, and fill what is missing."""
        await self.markers.flush()
        while self.on_the_way:
            self.arrive(0)
        for _ in range(3):
            await self.live.fill_overdue()
            await self.own.live.fill_overdue()


@pytest.fixture
async def house():
    """A house whose writer runs."""
    house = House()
    async with house.chat.writer.running():
        yield house


async def known_to(house, *groups, user=ADA, own: int | None = None) -> Known:
    """Return what a client has that is up to date."""
    revisions = await house.chat.store.revisions(groups)
    return Known(revisions=revisions, user_revision=own)


async def say(house, group, count: int = 1, sender=GRACE, **more) -> None:
    """Send some messages."""
    for _ in range(count):
        await house.chat.messages.send(draft(group, sender, **more))


async def test_the_biggest_unread_comes_first_with_its_changes(house) -> None:
    """What did not move is not mentioned."""
    groups = [await house.chat.group(GRACE) for _ in range(4)]
    known = await known_to(house, *groups)
    for group, count in zip(groups, (1, 3, 0, 2), strict=True):
        await say(house, group, count, mentions=(ADA,))
    answer = await house.own.catchup.catch_up(ADA, known)
    assert [m.unread for m in answer.moved] == [3, 2, 1]
    assert [m.unread_mentions for m in answer.moved] == [3, 2, 1]
    assert [len(m.changes.messages) for m in answer.moved] == [3, 2, 1]
    assert (answer.own, answer.has_more) == (None, False)
    assert [*answer.removed, *answer.reset, *answer.joined] == []


async def test_what_is_missing_and_what_is_hidden_look_alike(house) -> None:
    """Left, never joined, never there: the id and nothing else."""
    left, foreign = await house.chat.group(GRACE), await house.chat.group(owner=GRACE)
    await say(house, left)
    await house.chat.members.remove(ADA, left, GRACE)
    nowhere = new_id()
    known = Known(revisions={left: 1, foreign: 0, nowhere: 7})
    answer = await house.own.catchup.catch_up(GRACE, known)
    assert set(answer.removed) == {left, nowhere}
    answer = await house.own.catchup.catch_up(MALLORY, known)
    assert list(answer.removed) == [left, foreign, nowhere]
    assert [*answer.moved, *answer.reset, *answer.joined] == []


async def test_new_conversations_come_with_the_own_stream(house) -> None:
    """So a client that knows a part of its conversations is told no wrong."""
    old, new = await house.chat.group(GRACE), await house.chat.group(GRACE)
    known = await known_to(house, old, own=1)
    answer = await house.own.catchup.catch_up(GRACE, known)
    assert [s.conversation.conversation_id for s in answer.joined] == [new]
    assert [item.user_revision for item in answer.own.items] == [2]
    with pytest.raises(OwnRevisionUnknownError):
        await house.own.catchup.catch_up(GRACE, await known_to(house, own=9))


async def test_a_server_that_was_set_back_is_noticed(house) -> None:
    """After a restore the client begins that conversation again."""
    group = await house.chat.group(GRACE)
    answer = await house.own.catchup.catch_up(ADA, Known(revisions={group: 50}))
    assert answer.reset == (group,)
    assert not answer.moved


async def test_an_answer_is_bounded(house, monkeypatch) -> None:
    """By pages, changes and bytes; asked again with the new revisions it ends."""
    monkeypatch.setattr(catchup, "PAGES_MAX", 2)
    monkeypatch.setattr(catchup, "PAGE_CHANGES", 3)
    monkeypatch.setattr(catchup, "CHANGES_MAX", 5)
    monkeypatch.setattr(catchup, "TEXT_BYTES_MAX", 4_000)
    groups = [await house.chat.group(GRACE) for _ in range(3)]
    revisions = dict((await known_to(house, *groups)).revisions)
    for group, count in zip(groups, (7, 4, 2), strict=True):
        await say(house, group, count, text="x" * 900)
    seen, calls, has_more = dict.fromkeys(groups, 0), 0, True
    while has_more:
        answer = await house.own.catchup.catch_up(ADA, Known(revisions=revisions))
        pages = [m.changes for m in answer.moved if m.changes is not None]
        assert pages
        assert len(pages) <= 2
        assert sum(len(page.messages) for page in pages) <= 5
        for moved in answer.moved:
            if moved.changes is not None:
                place = moved.membership.conversation.conversation_id
                seen[place] += len(moved.changes.messages)
                revisions[place] = moved.changes.revision
        has_more, calls = answer.has_more, calls + 1
    assert list(seen.values()) == [7, 4, 2]
    assert calls >= 4


async def test_who_is_removed_while_asking_is_told_nothing_newer(
    house, monkeypatch
) -> None:
    """The page that was read is not handed out."""
    group = await house.chat.group(GRACE)
    known = await known_to(house, group, user=GRACE)
    await say(house, group, sender=ADA)
    read = house.chat.sync.changes_of

    async def meanwhile(*args, **more):
        if args[0] == group and group in await joined(house):
            await house.chat.members.remove(ADA, group, GRACE)
            await say(house, group, sender=ADA, text="not for her")
        return await read(*args, **more)

    monkeypatch.setattr(house.chat.sync, "changes_of", meanwhile)
    answer = await house.own.catchup.catch_up(GRACE, known)
    assert (answer.moved, answer.removed) == ((), (group,))


async def joined(house) -> set:
    """Return where Grace is a member."""
    found = [m for m in house.chat.store.members.values() if m.user_id == GRACE]
    return {m.conversation_id for m in found if m.is_active}


async def test_a_list_goes_by_the_last_activity(house) -> None:
    """A new message moves its conversation to the front; pages touch."""
    groups = []
    for _ in range(5):
        groups.append(await house.chat.group(GRACE))
        house.chat.clock.advance(timedelta(minutes=1))
    for group in (groups[1], groups[3], groups[1]):
        await say(house, group)
        house.chat.clock.advance(timedelta(minutes=1))
    listed, before, pages = [], None, 0
    while pages == 0 or before is not None:
        page, before = await house.chat.conversations.page_by_activity(
            ADA, before=before, limit=2
        )
        listed += [m.conversation.conversation_id for m in page]
        pages += 1
    assert listed == [groups[number] for number in (1, 3, 4, 2, 0)]


class World:
    """Everybody who changes something, at random."""

    def __init__(self, house: House, groups: list, chance: random.Random) -> None:
        self.house = house
        self.groups = groups
        self.chance = chance

    async def change(self) -> None:
        """Change something; what is refused changes nothing."""
        group = self.chance.choice(self.groups)
        change = self.chance.choice(
            (
                *(self.send, self.send, self.send, self.edit, self.delete, self.remove),
                *(self.add, self.read, self.write, self.clear, self.mark, self.mute),
                *(self.answer, self.answer, self.follow, self.read_thread),
            )
        )
        await refused(change(group))

    async def send(self, group) -> None:
        """Somebody says something."""
        sender = self.chance.choice((ADA, GRACE, GRACE))
        await self.house.chat.messages.send(draft(group, sender, text=new_id()))

    async def answer(self, group) -> None:
        """Somebody answers in a thread, and mentions Ada perhaps."""
        sender = self.chance.choice((ADA, GRACE))
        mentions = (ADA,) if self.chance.random() < 0.5 and sender != ADA else ()
        thread_seq = self.some(group).seq
        await self.house.chat.messages.send(
            draft(group, sender, thread_seq=thread_seq, mentions=mentions)
        )

    async def follow(self, group) -> None:
        """Ada follows a thread on another device, or stops."""
        is_following = self.chance.random() < 0.5
        await self.house.chat.threads.follow(
            ADA, group, self.some(group).seq, is_following=is_following
        )

    async def read_thread(self, group) -> None:
        """Ada reads in a thread on another device."""
        last = self.house.chat.store.conversations[group].last_seq
        seq = self.chance.randint(0, last)
        await self.house.chat.threads.mark(ADA, group, self.some(group).seq, seq)

    async def edit(self, group) -> None:
        """Somebody says it otherwise."""
        message = self.some(group)
        edit = Edit(text=new_id())
        await self.house.chat.messages.edit(
            message.sender_id, group, message.message_id, edit
        )

    async def delete(self, group) -> None:
        """Somebody takes it back."""
        message = self.some(group)
        await self.house.chat.messages.delete(
            message.sender_id, group, message.message_id
        )

    async def remove(self, group) -> None:
        """Ada is taken out."""
        await self.house.chat.members.remove(GRACE, group, ADA)

    async def add(self, group) -> None:
        """Ada is brought in, or a new group with her begins."""
        if self.chance.random() < 0.3:
            opening = Opening(
                kind=ConversationKind.GROUP, title="New", member_ids=(ADA,)
            )
            opened, _ = await self.house.chat.openings.open(GRACE, opening)
            self.groups.append(opened.conversation.conversation_id)
        else:
            await self.house.chat.members.add(GRACE, group, ADA, Role.MEMBER)

    async def read(self, group) -> None:
        """Ada reads on another device."""
        last = self.house.chat.store.conversations[group].last_seq
        await self.house.markers.mark(ADA, group, self.chance.randint(0, last))

    async def write(self, group) -> None:
        """Ada writes on another device."""
        await self.house.own.drafts.save(ADA, group, new_id())

    async def clear(self, group) -> None:
        """Ada throws it away."""
        await self.house.own.drafts.clear(ADA, group)

    async def mark(self, group) -> None:
        """Ada bookmarks something, or does not any more."""
        message = self.some(group)
        bookmarks = self.house.own.bookmarks
        if await refused(bookmarks.remove(ADA, message.message_id)):
            await bookmarks.add(ADA, group, message.message_id, note=new_id())

    async def mute(self, group) -> None:
        """Ada mutes it, or not."""
        level = self.chance.choice(list(MuteLevel))
        await self.house.own.mutes.mute(ADA, group, level, None)

    def some(self, group):
        """Return some message of a group, or fail as a use case would."""
        messages = self.house.chat.store.messages.values()
        found = [m for m in messages if m.conversation_id == group]
        found = [m for m in found if m.text is not None]
        return self.chance.choice(found) if found else self.chance.choice([NOBODYS])


async def first_messages(house, groups) -> None:
    """Let every group have something to edit."""
    for group in groups:
        await say(house, group)


NOBODYS = type("Nobodys", (), {"sender_id": GRACE, "message_id": new_id(), "seq": 1})()


async def one_step(house, world: World, ada: ModelClient, chance) -> None:
    """Let one thing happen: a change, an arrival, a fill, or what the client does."""
    match chance.randrange(10):
        case 0 | 1 | 2 | 3:
            await world.change()
        case 4 | 5 | 6 if house.on_the_way:
            house.arrive(chance.randrange(min(len(house.on_the_way), 4)))
        case 7:
            await house.live.fill_overdue()
            await house.own.live.fill_overdue()
        case 8 if ada.is_online and chance.random() < 0.2:
            ada.disconnect()
        case _ if ada.is_online:
            await ada.step()
        case _:
            ada.connect()


async def live_through(chance: random.Random, steps: int) -> None:
    """Let a client and its world do what they do in some order, then compare."""
    house = House()
    async with house.chat.writer.running():
        groups = [await house.chat.group(ADA, owner=GRACE) for _ in range(2)]
        world = World(house, groups, chance)
        ada = ModelClient(ADA, house.handlers, house.rooms)
        for _ in range(steps):
            await one_step(house, world, ada, chance)
        if not ada.is_online:
            ada.connect()
        for _ in range(60):  # no change any more: whatever is left to learn is learnt
            await house.settle()
            await ada.step()
        assert not ada.is_behind
        assert view_of_client(ada) == await view_of_server(house)


def view_of_client(ada: ModelClient) -> dict:
    """Return what the client holds."""
    active = {c for c, m in ada.memberships.items() if m["is_active"]}
    return {
        "places": {
            c: {m["seq"]: (m["revision"], m["text"]) for m in place.messages.values()}
            for c, place in ada.places.items()
        },
        "revisions": {c: place.revision for c, place in ada.places.items()},
        "members": {
            c: {u for u, m in place.members.items() if m["is_active"]}
            for c, place in ada.places.items()
        },
        "memberships": {
            c: (m["role"], m["read_seq"], m["mute"])
            for c, m in ada.memberships.items()
            if c in active
        },
        "drafts": ada.drafts,
        "bookmarks": {
            key: (b["note"], b["is_removed"]) for key, b in ada.bookmarks.items()
        },
        "threads": {
            key: (t["is_following"], ada.thread_read_seq(key))
            for key, t in ada.threads.items()
            if key[0] in active
        },
        "user_revision": ada.user_revision,
    }


async def view_of_server(house: House) -> dict:
    """Return what the server holds for Ada."""
    store = house.chat.store
    mine = {c: m for (c, u), m in store.members.items() if u == ADA and m.is_active}
    mutes = await house.chat.personal.mutes(ADA, list(mine))
    drafts = house.chat.draft_store.drafts
    return {
        "places": {
            c: {
                m.seq: (m.revision, m.text)
                for m in store.messages.values()
                if m.conversation_id == c
            }
            for c in mine
        },
        "revisions": {c: store.conversations[c].revision for c in mine},
        "members": {
            c: {u for (d, u), m in store.members.items() if d == c and m.is_active}
            for c in mine
        },
        "memberships": {
            c: (
                m.role.value,
                m.read_seq,
                {"level": mutes[c].level.value if c in mutes else "all", "until": None},
            )
            for c, m in mine.items()
        },
        "drafts": {
            (c, thread): json_of(draft_wire(d)) for (_, c, thread), d in drafts.items()
        },
        "bookmarks": {
            key: (b.note, b.is_removed)
            for (_, key), b in house.chat.bookmark_store.bookmarks.items()
        },
        "threads": {
            (c, seq): (f.is_following, f.read_seq)
            for (c, seq, u), f in store.follows.items()
            if u == ADA and c in mine
        },
        "user_revision": await house.chat.personal.revision(ADA),
    }


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_subscribe_then_catch_up_leaves_no_hole(seed: int) -> None:
    """Whatever the order of commits, subscriptions, live events and answers."""
    asyncio.run(live_through(random.Random(seed), steps=150))  # noqa: S311 - a seed
