"""Live delivery of a user's own stream over memory adapters."""

from datetime import timedelta

import msgspec
import pytest

from libs.events.catalog import (
    ConversationCreated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationMuted,
    ConversationRead,
    ConversationRoleChanged,
    DraftSaved,
)
from libs.kernel import UnavailableError, new_id
from services.chat.domain.personal import MuteLevel
from services.chat.service.drafts import Drafts
from services.chat.service.live import LiveLimits
from services.chat.service.mutes import Mutes
from services.chat.service.own_feed import OwnFeed
from services.chat.service.own_items import own_event, own_room
from services.chat.service.own_live import OwnDelivery
from services.chat.service.own_stream import OwnStream
from services.chat.sockets.protocol import EMITTED
from tests.unit.chat.support import ADA, GRACE, Chat, draft


class OwnRooms:
    """`Rooms` with the own rooms of some users."""

    def __init__(self) -> None:
        self.present: set[str] = set()
        self.emitted: list[tuple[str, str, dict]] = []

    def emit(self, rooms, event, payload, **_) -> int:
        """Remember."""
        self.emitted.append((rooms[0], event, payload))
        return 1

    def has(self, room: str) -> bool:
        """Tell who is here."""
        return room in self.present

    def revisions(self, user_id) -> list[int]:
        """Return what was emitted to a user, in order."""
        return [
            p["user_revision"] for r, _, p in self.emitted if r == own_room(user_id)
        ]


class Setting:
    """Own delivery, and the use cases that move the stream."""

    def __init__(self) -> None:
        self.chat = Chat()
        self.rooms = OwnRooms()
        self.live = OwnDelivery(
            self.rooms,
            self.chat.personal,
            OwnStream(self.chat.personal),
            clock=self.chat.clock,
            limits=LiveLimits(),
        )
        self.feed = OwnFeed(self.live)
        chat = self.chat
        self.drafts = Drafts(chat.bus, chat.store, chat.draft_store, chat.clock)
        self.mutes = Mutes(chat.bus, chat.store, chat.personal, chat.clock)

    async def follow(self, user_id) -> int:
        """Subscribe a socket."""
        return await self.live.subscribe(
            user_id, lambda: self.rooms.present.add(own_room(user_id))
        )

    def drain(self, *, backwards: bool = False) -> None:
        """Hand over what was published, once, in some order."""
        events, self.chat.bus.published = self.chat.bus.published, []
        for event in reversed(events) if backwards else events:
            self.feed.take(event)


@pytest.fixture
def at() -> Setting:
    """A setting of its own."""
    return Setting()


async def test_what_an_event_tells_is_delivered_at_once(at) -> None:
    """A mute needs no read."""
    group = await at.chat.group()
    assert await at.follow(ADA) == 1
    await at.mutes.mute(ADA, group, MuteLevel.NONE, None)
    at.drain()
    assert at.rooms.revisions(ADA) == [2]
    _, event, payload = at.rooms.emitted[0]
    assert event == "own.changed"
    assert payload["membership"]["mute"] == {"level": "none", "until": None}


async def test_a_thread_is_told_whole(at) -> None:
    """What begins by an answer, what is read, and what is stopped."""
    group = await at.chat.group(GRACE)
    await at.follow(ADA)
    async with at.chat.writer.running():
        root = await at.chat.messages.send(draft(group, ADA))
        answer = await at.chat.messages.send(draft(group, GRACE, thread_seq=root.seq))
    await at.chat.threads.mark(ADA, group, root.seq, answer.seq)
    await at.chat.threads.follow(ADA, group, root.seq, is_following=False)
    at.drain()
    told = [payload["thread"] for _, _, payload in at.rooms.emitted]
    assert [(t["is_following"], t["read_seq"]) for t in told] == [
        (True, 0),
        (True, answer.seq),
        (False, answer.seq),
    ]
    changes = await OwnStream(at.chat.personal).changes(ADA, since=1, limit=9)
    assert [own_event(item)["thread"] for item in changes.items] == told[-1:]
    for _, name, payload in at.rooms.emitted:
        EMITTED[name].model_validate_json(msgspec.json.encode(payload))


async def test_a_drafts_text_is_read_only_for_who_listens(at) -> None:
    """The event holds none; it comes with what was read."""
    group = await at.chat.group()
    await at.drafts.save(ADA, group, "unheard")
    at.drain()
    await at.follow(ADA)
    await at.drafts.save(ADA, group, "hello")
    at.drain()
    assert at.rooms.emitted == []
    await at.live.fill_overdue()
    assert [p["draft"]["text"] for _, _, p in at.rooms.emitted] == ["hello"]
    _, name, payload = at.rooms.emitted[0]
    EMITTED[name].model_validate_json(msgspec.json.encode(payload))
    await at.live.fill_overdue()
    assert len(at.rooms.emitted) == 1


async def test_what_is_early_waits_and_a_hole_is_read(at) -> None:
    """Wire order is not revision order; nothing comes twice."""
    group, other = await at.chat.group(), await at.chat.group()
    await at.follow(ADA)
    await at.mutes.mute(ADA, group, MuteLevel.NONE, None)
    await at.mutes.mute(ADA, other, MuteLevel.NONE, None)
    at.drain(backwards=True)
    assert at.rooms.revisions(ADA) == [3, 4]
    await at.mutes.mute(ADA, group, MuteLevel.ALL, None)
    at.chat.bus.published = []  # never arrives
    await at.mutes.mute(ADA, other, MuteLevel.ALL, None)
    at.drain()
    await at.live.fill_overdue()
    assert at.rooms.revisions(ADA) == [3, 4]
    at.chat.clock.advance(timedelta(seconds=0.2))
    await at.live.fill_overdue()
    assert at.rooms.revisions(ADA) == [3, 4, 5, 6]


async def test_polling_finds_what_no_event_told(at) -> None:
    """And forgets those whose sockets have left."""
    group = await at.chat.group(GRACE)
    await at.follow(ADA)
    await at.follow(GRACE)
    await at.drafts.save(ADA, group, "x")
    await at.drafts.save(GRACE, group, "y")
    at.rooms.present.discard(own_room(GRACE))
    assert await at.live.poll_once()
    assert (at.rooms.revisions(ADA), at.rooms.revisions(GRACE)) == ([2], [])
    at.feed.take(
        DraftSaved(user_id=GRACE, user_revision=3, conversation_id=group, thread_seq=0)
    )
    await at.live.fill_overdue()
    assert at.rooms.revisions(GRACE) == []


async def test_a_deletion_that_names_nobody_is_looked_up(at) -> None:
    """Every stream that is followed is compared."""
    group = await at.chat.group(GRACE)
    await at.follow(GRACE)
    await at.drafts.save(GRACE, group, "x")
    at.feed.take(
        ConversationDeleted(conversation_id=group, revision=2, deleted_by=None)
    )
    await at.live.fill_overdue()
    assert at.rooms.revisions(GRACE) == [2]


async def test_each_membership_event_says_what_it_knows(at) -> None:
    """What it does not know is absent, or read."""
    await at.follow(ADA)
    place = {"conversation_id": new_id()}
    who = place | {"user_id": ADA}
    events = [
        ConversationCreated(
            **place,
            revision=1,
            kind="group",
            project_id=None,
            title=None,
            created_by=ADA,
            members=((GRACE, "owner"), (ADA, "member")),
            user_revisions=(1, 1),
        ),
        ConversationRead(**who, read_seq=3, user_revision=2),
        ConversationMuted(**who, level="none", until=None, user_revision=3),
    ]
    for event in events:
        at.feed.take(event)
    told = [set(p["membership"]) for _, _, p in at.rooms.emitted]
    always = {"conversation_id", "user_revision"}
    for _, name, payload in at.rooms.emitted:
        EMITTED[name].model_validate_json(msgspec.json.encode(payload))
    assert told == [
        always | {"role", "read_seq", "is_active", "mute"},
        always | {"read_seq"},
        always | {"mute"},
    ]


async def test_a_change_of_membership_is_read(at) -> None:
    """Its events do not tell the user's revision; one read, whatever it finds."""
    group = await at.chat.group(GRACE)
    await at.follow(GRACE)
    who = {"conversation_id": group, "revision": 2, "user_id": GRACE}
    for event in (
        ConversationMemberAdded(**who, role="member", added_by=None),
        ConversationRoleChanged(**who, role="admin", changed_by=ADA),
        ConversationMemberRemoved(**who, removed_by=ADA),
    ):
        at.feed.take(event)
        await at.live.fill_overdue()
    assert at.rooms.revisions(GRACE) == []
    await at.chat.members.remove(ADA, group, GRACE)
    at.drain()
    await at.live.fill_overdue()
    (told,) = at.rooms.emitted
    assert told[2]["membership"]["is_active"] is False


async def test_what_comes_during_a_subscription_is_not_lost(at, monkeypatch) -> None:
    """It is held until the revision is read, and covered by the answer."""
    group = await at.chat.group()
    read = at.chat.personal.revision

    async def slow(user_id):
        revision = await read(user_id)
        await at.mutes.mute(ADA, group, MuteLevel.NONE, None)
        at.drain()
        return revision

    monkeypatch.setattr(at.chat.personal, "revision", slow)
    assert await at.follow(ADA) == 2


async def test_a_database_that_is_away_lets_nobody_in(at, monkeypatch) -> None:
    """The socket is not in the room, and nothing is kept; later it works."""

    async def away(*_, **__):
        raise UnavailableError("database_unavailable", "Away.")

    with monkeypatch.context() as broken:
        broken.setattr(at.chat.personal, "revision", away)
        with pytest.raises(UnavailableError):
            await at.follow(ADA)
    assert not at.rooms.present
    group = await at.chat.group()
    await at.follow(ADA)
    await at.drafts.save(ADA, group, "x")
    at.drain()
    with monkeypatch.context() as broken:
        broken.setattr(at.chat.personal, "changed", away)
        broken.setattr(at.chat.personal, "revisions", away)
        await at.live.fill_overdue()
        assert not await at.live.poll_once()
    await at.live.fill_overdue()
    assert at.rooms.revisions(ADA) == [2]
