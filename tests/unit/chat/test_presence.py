"""Custom statuses, who sees when somebody was last seen, and how it is told."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from libs.events.catalog import PresenceChanged, StatusChanged
from libs.events.envelope import decode_event
from libs.kernel import UnavailableError
from services.chat.domain.errors import DraftInvalidError
from services.chat.domain.presence import LastSeen, checked_status
from services.chat.ports import PresenceState
from services.chat.service.custom_status import CustomStatuses
from services.chat.service.items import conversation_room, user_room
from services.chat.service.presence import Presence
from services.chat.service.presence_feed import PresenceFeed
from services.chat.service.presence_views import PresenceViews
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, user

LEFT_AT = datetime(2026, 1, 1, tzinfo=UTC)


class Sightings:
    """`PresenceStore` that knows what a test tells it, and what it was told."""

    def __init__(self) -> None:
        self.known: dict[str, PresenceState] = {}
        self.kept: list[bool | None] = []
        self.is_away = False

    async def states(self, user_ids):
        """Tell; whoever is not known left once and lets nothing be kept."""
        return {u: self.known.get(u, PresenceState("offline")) for u in user_ids}

    async def beat(self, *_args, keeps_last_seen, **_more) -> tuple[str, str]:
        """Take note."""
        self.kept.append(keeps_last_seen)
        return "online", "online"

    async def keep_last_seen(self, _user_id, *, keeps: bool) -> None:
        """Take note, or be away."""
        if self.is_away:
            raise UnavailableError("redis_unavailable", "Away.")
        self.kept.append(keeps)


class People:
    """A chat, who is there, and what they say."""

    def __init__(self) -> None:
        chat = self.chat = Chat()
        self.store = Sightings()
        self.views = PresenceViews(
            self.store, chat.cards, chat.store, chat.contacts, clock=chat.clock
        )
        self.statuses = CustomStatuses(chat.bus, chat.cards, chat.sealer, chat.clock)
        self.heartbeats = Presence(
            chat.bus,
            self.store,
            chat.cards,
            chat.clock,
            grace_seconds=0,
            heartbeat_seconds=15,
        )
        self.feed = PresenceFeed(chat.live, chat.rooms, chat.contacts, chat.sealer)

    def gone(self, *user_ids, keeps: bool = True) -> None:
        """Let users have left at a time that is kept."""
        for user_id in user_ids:
            state = PresenceState("offline", LEFT_AT, keeps_last_seen=keeps)
            self.store.known[user_id] = state

    async def seen(self, viewer, wanted) -> dict:
        """Return whom a user sees, with whether the time is shown."""
        views = await self.views.of_users(viewer, [wanted])
        return {view.user_id: view.shows_last_seen for view in views}


@pytest.fixture
def people() -> People:
    """A chat of its own."""
    return People()


@pytest.mark.parametrize(
    ("emoji", "text", "code"),
    [
        (None, "  ", "status_empty"),
        (None, "x" * 101, "status_too_long"),
        (None, "a\u202eb", "status_invalid"),
        ("word", "", "emoji_invalid"),
    ],
)
def test_what_is_no_status(emoji, text, code) -> None:
    """Something short and plain, with a picture perhaps."""
    with pytest.raises(DraftInvalidError) as refused:
        checked_status(emoji, text, None, LEFT_AT)
    assert refused.value.code == code


def test_what_is_a_status() -> None:
    """Space is made even; a hundred code points are enough for anybody."""
    status = checked_status("🌴", "  on \n holiday ", None, LEFT_AT)
    assert (status.emoji, status.text) == ("🌴", "on holiday")
    assert len(checked_status(None, "é" * 100, None, LEFT_AT).text) == 100
    assert checked_status("🌴", "", None, LEFT_AT).text == ""
    with pytest.raises(DraftInvalidError, match="passed"):
        checked_status("🌴", "", LEFT_AT, LEFT_AT)


async def test_a_status_is_shown_sealed_and_gone_by_itself(people) -> None:
    """Announced once when it is said, and once by whichever process ends it."""
    chat, until = people.chat, people.chat.clock.now() + timedelta(minutes=5)
    group = await chat.group(GRACE)
    await people.statuses.set(ADA, emoji="🌴", text="secret trip", expires_at=until)
    (said,) = chat.bus.published_of(StatusChanged)
    assert b"secret" not in said.content.ciphertext
    (view,) = await people.views.of_members(GRACE, group, [ADA, MALLORY])
    assert (view.custom_status.text, view.custom_status.expires_at) == (
        "secret trip",
        until,
    )
    assert (await people.views.own(ADA))[0] == view.custom_status
    assert await people.statuses.expire() == 0
    chat.clock.advance(timedelta(minutes=5))
    (view,) = await people.views.of_members(GRACE, group, [ADA])
    assert view.custom_status is None
    others = CustomStatuses(chat.bus, chat.cards, chat.sealer, chat.clock)
    assert [await people.statuses.expire(), await others.expire()] == [1, 0]
    assert [e.content for e in chat.bus.published_of(StatusChanged)[1:]] == [None]


async def test_a_status_is_taken_back_once(people) -> None:
    """A newer one has its own time; where nothing is said, nothing is told."""
    chat, now = people.chat, people.chat.clock.now()
    soon = now + timedelta(seconds=5)
    await people.statuses.set(ADA, emoji=None, text="lunch", expires_at=soon)
    await people.statuses.set(ADA, emoji=None, text="at work", expires_at=None)
    chat.clock.advance(timedelta(minutes=1))
    assert await people.statuses.expire() == 0
    for _ in range(2):
        await people.statuses.clear(ADA)
    told = chat.bus.published_of(StatusChanged)
    assert [e.content is None for e in told] == [False, False, True]


EVERYONE, CONTACTS, NOBODY = LastSeen


@pytest.mark.parametrize(
    ("own", "theirs", "contact", "stranger"),
    [
        (EVERYONE, EVERYONE, True, True),
        (EVERYONE, CONTACTS, True, None),
        (CONTACTS, EVERYONE, True, None),
        (CONTACTS, CONTACTS, True, None),
        (EVERYONE, NOBODY, False, None),
        (NOBODY, EVERYONE, False, None),
        (NOBODY, NOBODY, False, None),
    ],
)
async def test_last_seen_is_shown_both_ways_or_not(
    people, own, theirs, contact, stranger
) -> None:
    """A stranger is seen at all only if both show themselves to everyone."""
    await people.chat.group(GRACE)
    people.gone(ADA, GRACE, MALLORY)
    await people.heartbeats.show_last_seen(ADA, own)
    for user_id in (GRACE, MALLORY):
        await people.heartbeats.show_last_seen(user_id, theirs)
    assert await people.seen(ADA, GRACE) == {GRACE: contact}
    assert await people.seen(ADA, MALLORY) == (
        {} if stranger is None else {MALLORY: stranger}
    )


async def test_the_switch_that_was_is_contacts(people) -> None:
    """Whose time is kept, and never chose, shows it to contacts; others to nobody."""
    await people.chat.group(GRACE)
    people.gone(ADA, GRACE)
    assert await people.seen(ADA, GRACE) == {GRACE: True}
    assert (await people.views.own(ADA))[1] is CONTACTS
    people.gone(ADA, keeps=False)
    assert await people.seen(ADA, GRACE) == {GRACE: False}
    assert (await people.views.own(ADA))[1] is NOBODY
    await people.heartbeats.show_last_seen(GRACE, NOBODY)
    people.gone(ADA)
    assert await people.seen(ADA, GRACE) == {GRACE: False}


async def test_a_connection_says_what_may_be_kept(people) -> None:
    """As it was chosen; of those who never chose, nothing is said."""
    await people.heartbeats.arrive(ADA, "phone")
    for last_seen in (CONTACTS, NOBODY):
        await people.heartbeats.show_last_seen(ADA, last_seen)
        await people.heartbeats.arrive(ADA, "phone")
    assert people.store.kept == [None, True, True, False, False]
    people.store.is_away = True
    await people.heartbeats.show_last_seen(ADA, EVERYONE)
    assert (await people.views.own(ADA))[1] is EVERYONE


async def test_a_storm_of_presences_is_one_question(people) -> None:
    """Each is told where it is watched, the newest state of each."""
    chat = people.chat
    many = [user(number) for number in range(10, 60)]
    group = await chat.group(*many)
    chat.live.acquire(group)
    chat.live.admit(group, ADA, 1)
    for status in ("offline", "online"):
        for user_id in many:
            event = PresenceChanged(user_id=user_id, status=status, changed_at=LEFT_AT)
            people.feed.presence(event)
    await people.feed.tell()
    assert chat.contacts.questions == 1
    told = {payload["user_id"]: payload for _, _, payload in chat.rooms.emitted}
    assert set(told) == set(many)
    assert {payload["status"] for payload in told.values()} == {"online"}
    rooms, name, _ = chat.rooms.emitted[0]
    assert (name, rooms[1:]) == ("presence.changed", (conversation_room(group),))
    assert rooms[0] == user_room(chat.rooms.emitted[0][2]["user_id"])
    await people.feed.tell()
    assert len(chat.rooms.emitted) == len(many)


async def test_a_status_is_told_opened(people) -> None:
    """To whoever watches; one that was sealed for somebody else is not."""
    chat = people.chat
    group = await chat.group(GRACE)
    chat.live.acquire(group)
    chat.live.admit(group, ADA, 1)
    sent: list = []
    chat.bus._transactions._on_commit = sent.extend
    await people.statuses.set(ADA, emoji="🌴", text="away", expires_at=None)
    await people.statuses.clear(ADA)
    for row in sent:
        received = decode_event(row.body)
        event, event_id = received.event, received.id
        people.feed.status(event, event_id)
        await people.feed.tell()
        if event.content is not None:
            foreign = msgspec.structs.replace(event, user_id=GRACE)
            people.feed.status(foreign, event_id)
            await people.feed.tell()
    told = [payload["custom_status"] for _, _, payload in chat.rooms.emitted]
    assert told == [{"emoji": "🌴", "text": "away", "expires_at": None}, None]
