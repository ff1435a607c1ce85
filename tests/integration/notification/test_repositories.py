"""One contract, in memory and on MongoDB: the twins of the unit tests are faithful."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from libs.crypto import KeyRing
from libs.kernel import (
    ConflictError,
    ConversationId,
    EventId,
    MessageId,
    SystemClock,
    UserId,
    new_id,
)
from services.notification import repository as mongo
from services.notification.domain.conversations import (
    ConversationKind,
    Excerpt,
    MembershipChange,
    MuteChange,
    MuteLevel,
    ReadMark,
)
from services.notification.domain.decision import NotificationKind
from services.notification.domain.delivery import (
    MESSAGES_PER_MAIL,
    Channel,
    Delivery,
    DeliveryState,
    MessageRef,
    Notice,
    NoticeKind,
    Origin,
)
from services.notification.domain.devices import Platform
from services.notification.domain.people import (
    Preferences,
    Presence,
    Profile,
    QuietHours,
)
from services.notification.ports import (
    ConversationRepository,
    DeliveryRepository,
    DeviceRepository,
    Notification,
    NotificationRepository,
    PeopleRepository,
)
from services.notification.repository import memory
from tests.support.mongo import emptied_database
from tests.support.stack import RunningStack

pytestmark = pytest.mark.integration

LEASE = timedelta(milliseconds=300)


@dataclass
class Stores:
    """The repositories of one backend."""

    people: PeopleRepository
    conversations: ConversationRepository
    notifications: NotificationRepository
    devices: DeviceRepository
    deliveries: DeliveryRepository


@pytest.fixture(params=["memory", "mongo"])
async def stores(
    request: pytest.FixtureRequest, stack: RunningStack
) -> AsyncIterator[Stores]:
    """Each backend in turn, empty."""
    if request.param == "memory":
        yield Stores(
            memory.MemoryPeopleRepository(),
            memory.MemoryConversationRepository(),
            memory.MemoryNotificationRepository(),
            memory.MemoryDeviceRepository(),
            memory.MemoryDeliveryRepository(SystemClock()),
        )
        return
    url = stack.admin_mongo_url
    async with emptied_database(url, "contract_notification") as database:
        await mongo.create_indexes(database)
        vault = mongo.Vault(KeyRing.generate())
        yield Stores(
            mongo.MongoPeopleRepository(database, vault),
            mongo.MongoConversationRepository(database, vault),
            mongo.MongoNotificationRepository(database),
            mongo.MongoDeviceRepository(database, vault),
            mongo.MongoDeliveryRepository(database, vault),
        )


def now() -> datetime:
    """Return the time as the database keeps it."""
    return SystemClock().now()


def mail(
    user_id: UserId, conversation_id: ConversationId | None, **changes: Any
) -> Delivery:
    """Return a mail about one message, due at once."""
    fields = {
        "delivery_id": new_id(),
        "channel": Channel.EMAIL,
        "target": user_id,
        "user_id": user_id,
        "origin": Origin(EventId(new_id()), "correlation", "00-aa-bb-01"),
        "created_at": now(),
        "due_at": now() - timedelta(seconds=1),
        "expires_at": now() + timedelta(hours=1),
        "conversation_id": conversation_id,
        "messages": (MessageRef(MessageId(new_id()), 1),),
    }
    return Delivery(**{**fields, **changes})


async def claim(
    stores: Stores, channel: Channel = Channel.EMAIL, lease: timedelta = LEASE
) -> list[Delivery]:
    """Claim up to ten."""
    return await stores.deliveries.claim(
        channel, holder="test-1", limit=10, lease=lease
    )


async def test_the_newest_profile_stays(stores: Stores) -> None:
    """An older revision changes nothing; what an event does not carry is kept."""
    user_id = UserId(new_id())
    full = Profile(user_id, 3, "$Ada", "de", handle="ada", time_zone="Europe/Berlin")

    await stores.people.put_profile(full)
    await stores.people.put_profile(Profile(user_id, 2, "Old", "en"))
    await stores.people.put_profile(Profile(user_id, 4, "Ada L", "de"))

    person = (await stores.people.get([user_id]))[user_id]
    assert (person.display_name, person.handle) == ("Ada L", "ada")
    assert person.time_zone == "Europe/Berlin"


async def test_a_person_is_put_together_in_any_order(stores: Stores) -> None:
    """Address, presence, suspension and preferences do not wait for a profile."""
    user_id = UserId(new_id())
    chosen = Preferences(
        push_enabled=False,
        quiet_hours=QuietHours(time(22), time(7, 30)),
        muted_conversation_ids=frozenset({ConversationId(new_id())}),
    )

    await stores.people.put_presence(user_id, Presence.ONLINE, now())
    await stores.people.put_presence(
        user_id, Presence.OFFLINE, now() - timedelta(minutes=1)
    )
    await stores.people.put_email(user_id, "ada@example.org", now())
    await stores.people.put_suspension(user_id, revision=5, is_suspended=True)
    await stores.people.put_suspension(user_id, revision=4, is_suspended=False)
    await stores.people.put_preferences(user_id, chosen)

    person = (await stores.people.get([user_id]))[user_id]
    assert person.presence is Presence.ONLINE
    assert person.email == "ada@example.org"
    assert person.is_suspended
    assert person.preferences == chosen


async def test_a_deleted_person_stays_deleted(stores: Stores) -> None:
    """Nothing that comes late brings an address back."""
    user_id = UserId(new_id())
    await stores.people.put_email(user_id, "ada@example.org", now())

    await stores.people.put_deletion(user_id)
    await stores.people.put_email(user_id, "ada@example.org", now())
    await stores.people.put_profile(Profile(user_id, 9, "Ada", "en"))

    person = (await stores.people.get([user_id]))[user_id]
    assert person.is_deleted
    assert (person.email, person.display_name) == (None, "")


async def test_a_conversation_is_unknown_until_its_beginning(stores: Stores) -> None:
    """A title that came first is kept, and an older one does not replace it."""
    conversation_id = ConversationId(new_id())
    await stores.conversations.put_title(conversation_id, revision=3, title="New $x")
    before = await stores.conversations.get([conversation_id])

    await stores.conversations.put_creation(
        conversation_id, ConversationKind.GROUP, revision=1, title="Old"
    )

    known = await stores.conversations.get([conversation_id])
    assert before == {}
    assert known[conversation_id].title == "New $x"
    assert known[conversation_id].kind is ConversationKind.GROUP


async def test_a_deleted_conversation_has_no_title(stores: Stores) -> None:
    """A tombstone is known, without the words."""
    conversation_id = ConversationId(new_id())
    await stores.conversations.put_creation(
        conversation_id, ConversationKind.GROUP, revision=1, title="Plans"
    )

    await stores.conversations.put_deletion(conversation_id)
    await stores.conversations.put_title(conversation_id, revision=7, title="Again")

    known = (await stores.conversations.get([conversation_id]))[conversation_id]
    assert known.is_deleted
    assert known.title is None


async def test_membership_is_the_newest_change(stores: Stores) -> None:
    """A removal that comes before the addition it undoes still wins."""
    conversation_id, ada, bob = (new_id() for _ in range(3))
    place = (ConversationId(conversation_id), UserId(ada))

    await stores.conversations.put_memberships(
        [
            MembershipChange(*place, revision=4, is_member=False),
            MembershipChange(place[0], UserId(bob), revision=1, is_member=True),
        ]
    )
    await stores.conversations.put_memberships(
        [MembershipChange(*place, revision=2, is_member=True)]
    )

    assert set((await stores.conversations.members([place[0]]))[place[0]]) == {bob}
    places = await stores.conversations.places([place])
    assert places[place].is_member is False


async def test_a_read_marker_only_rises(stores: Stores) -> None:
    """It is kept before the membership is known, and survives it."""
    place = (ConversationId(new_id()), UserId(new_id()))

    await stores.conversations.put_reads([ReadMark(*place, 7)])
    await stores.conversations.put_reads([ReadMark(*place, 3)])
    before = await stores.conversations.members([place[0]])
    await stores.conversations.put_memberships(
        [MembershipChange(*place, revision=1, is_member=True)]
    )

    assert before == {place[0]: {}}
    after = await stores.conversations.members([place[0]])
    assert after[place[0]][place[1]].read_seq == 7


async def test_a_mute_is_kept_by_revision(stores: Stores) -> None:
    """It is kept before the membership is known, and survives it."""
    place = (ConversationId(new_id()), UserId(new_id()))
    quiet = MuteChange(*place, revision=5, level=MuteLevel.NONE, until=None)
    older = MuteChange(*place, revision=4, level=MuteLevel.ALL, until=None)

    await stores.conversations.put_mute(quiet)
    await stores.conversations.put_mute(older)
    before = await stores.conversations.members([place[0]])
    await stores.conversations.put_memberships(
        [MembershipChange(*place, revision=1, is_member=True)]
    )

    assert before == {place[0]: {}}
    after = await stores.conversations.members([place[0]])
    assert after[place[0]][place[1]].mute_level is MuteLevel.NONE


async def test_an_excerpt_is_kept_by_revision(stores: Stores) -> None:
    """A tombstone replaces the text, and an older text does not come back."""
    excerpt = Excerpt(
        message_id=MessageId(new_id()),
        conversation_id=ConversationId(new_id()),
        seq=1,
        revision=2,
        sender_id=UserId(new_id()),
        sent_at=now(),
        text="$hello",
    )
    assert await stores.conversations.put_excerpts([excerpt])
    first = await stores.conversations.excerpts([excerpt.message_id])

    gone = replace(excerpt, revision=3, text="", is_deleted=True)
    assert await stores.conversations.put_excerpts([gone])
    assert not await stores.conversations.put_excerpts([excerpt])

    assert first == {excerpt.message_id: excerpt}
    assert await stores.conversations.excerpts([excerpt.message_id]) == {
        excerpt.message_id: gone
    }


async def test_an_edit_waits_for_its_message(stores: Stores) -> None:
    """Not shown alone; with the message it gives its words, whichever is first."""
    sent = Excerpt(
        message_id=MessageId(new_id()),
        conversation_id=ConversationId(new_id()),
        seq=1,
        revision=2,
        sender_id=UserId(new_id()),
        sent_at=now(),
        text="first",
        has_attachments=True,
    )
    other = replace(sent, message_id=MessageId(new_id()))
    edits = [
        replace(one, revision=5, text="second", has_attachments=False, is_early=True)
        for one in (sent, other)
    ]
    ids = [sent.message_id, other.message_id]
    await stores.conversations.put_excerpts([edits[0]])
    alone = await stores.conversations.excerpts(ids)

    kept = await stores.conversations.put_excerpts([sent, other])
    await stores.conversations.put_excerpts([edits[1]])

    assert alone == {}
    assert kept == set(ids)
    assert await stores.conversations.excerpts(ids) == {
        one.message_id: replace(one, revision=5, text="second") for one in (sent, other)
    }


def entry(user_id: UserId, conversation_id: ConversationId, seq: int) -> Notification:
    """Return an unread entry."""
    return Notification(
        notification_id=new_id(),
        user_id=user_id,
        kind=NotificationKind.MESSAGE,
        cause_event_id=EventId(new_id()),
        conversation_id=conversation_id,
        message_id=MessageId(new_id()),
        seq=seq,
        sender_id=UserId(new_id()),
        created_at=now(),
    )


async def test_the_list_is_paged_newest_first(stores: Stores) -> None:
    """Pages follow each other without overlap; others' entries are not there."""
    ada, conversation = UserId(new_id()), ConversationId(new_id())
    entries = [entry(ada, conversation, seq) for seq in range(1, 6)]
    await stores.notifications.add([*entries, entry(UserId(new_id()), conversation, 6)])

    first = await stores.notifications.page(
        ada, before_id=None, limit=3, is_unread=None
    )
    second = await stores.notifications.page(
        ada, before_id=first[-1].notification_id, limit=3, is_unread=None
    )

    assert [*first, *second] == entries[::-1]


async def test_entries_are_read_one_by_one_by_id_and_by_marker(stores: Stores) -> None:
    """Each way ticks off what it names and nothing else."""
    ada, conversation = UserId(new_id()), ConversationId(new_id())
    entries = [entry(ada, conversation, seq) for seq in range(1, 5)]
    ids = [one.notification_id for one in entries]
    await stores.notifications.add(entries)

    assert await stores.notifications.mark_read(ada, ids[3])
    assert await stores.notifications.mark_read(ada, ids[3])
    assert not await stores.notifications.mark_read(UserId(new_id()), ids[0])
    await stores.notifications.mark_conversations_read([ReadMark(conversation, ada, 1)])
    assert await stores.notifications.mark_read_until(ada, ids[1]) == 1

    unread = await stores.notifications.page(
        ada, before_id=None, limit=9, is_unread=True
    )
    read = await stores.notifications.page(
        ada, before_id=None, limit=9, is_unread=False
    )
    assert [one.notification_id for one in unread] == [ids[2]]
    assert len(read) == 3


async def test_a_message_that_is_taken_back_leaves_the_lists(stores: Stores) -> None:
    """All its entries go."""
    ada = UserId(new_id())
    kept, dropped = (entry(ada, ConversationId(new_id()), seq) for seq in (1, 2))
    await stores.notifications.add([kept, dropped])

    await stores.notifications.drop_message(dropped.message_id)

    page = await stores.notifications.page(ada, before_id=None, limit=9, is_unread=None)
    assert page == [kept]


async def test_a_token_belongs_to_who_registered_it_last(stores: Stores) -> None:
    """The same token again is the same device; under another user it moves."""
    ada, bob, token = UserId(new_id()), UserId(new_id()), new_id()
    web = {"token": token, "platform": Platform.WEB, "name": "Browser"}

    first = await stores.devices.register(ada, now=now(), **web)
    again = await stores.devices.register(ada, now=now(), **{**web, "name": "Tab"})
    moved = await stores.devices.register(bob, now=now(), **web)

    assert again.device_id == first.device_id
    assert await stores.devices.of_user(ada) == []
    assert await stores.devices.of_user(bob) == [moved]
    assert await stores.devices.get([first.device_id]) == {}


async def test_a_device_is_removed_by_its_owner_only(stores: Stores) -> None:
    """Removing another's device finds none."""
    ada = UserId(new_id())
    device = await stores.devices.register(
        ada, token=new_id(), platform=Platform.IOS, name="Phone", now=now()
    )

    assert not await stores.devices.remove(device.device_id, UserId(new_id()))
    assert await stores.devices.remove(device.device_id, ada)
    assert not await stores.devices.remove(device.device_id)


async def test_devices_are_bounded(stores: Stores) -> None:
    """The fifty-first device is a conflict."""
    ada = UserId(new_id())
    for _ in range(50):
        await stores.devices.register(
            ada, token=new_id(), platform=Platform.IOS, name="Phone", now=now()
        )

    with pytest.raises(ConflictError):
        await stores.devices.register(
            ada, token=new_id(), platform=Platform.IOS, name="Phone", now=now()
        )


async def test_an_event_is_delivered_once_a_target(stores: Stores) -> None:
    """The same event, channel and target a second time is a conflict."""
    delivery = mail(UserId(new_id()), None)
    await stores.deliveries.add([delivery])

    with pytest.raises(ConflictError):
        await stores.deliveries.add([replace(delivery, delivery_id=new_id())])


async def test_a_claim_is_exclusive_until_its_lease_ends(stores: Stores) -> None:
    """Claims are disjoint; what was not settled in time is due again."""
    delivery = mail(UserId(new_id()), None)
    later = mail(UserId(new_id()), None, due_at=now() + timedelta(hours=1))
    await stores.deliveries.add([delivery, later])

    [first] = await claim(stores)
    nothing = await claim(stores)
    await asyncio.sleep(LEASE.total_seconds() + 0.1)
    [second] = await claim(stores)

    assert nothing == []
    assert first.delivery_id == second.delivery_id == delivery.delivery_id
    assert (first.claims, second.claims) == (1, 2)
    assert first.claim_id != second.claim_id


async def test_concurrent_claims_are_disjoint(stores: Stores) -> None:
    """Several dispatchers never share a delivery."""
    await stores.deliveries.add([mail(UserId(new_id()), None) for _ in range(8)])

    claims = await asyncio.gather(
        *(claim(stores, lease=timedelta(minutes=1)) for _ in range(4))
    )

    ids = [delivery.delivery_id for taken in claims for delivery in taken]
    assert len(ids) == len(set(ids)) == 8


async def test_a_lost_claim_changes_nothing(stores: Stores) -> None:
    """Who was too slow neither settles nor gives back."""
    delivery = mail(UserId(new_id()), None)
    await stores.deliveries.add([delivery])
    [slow] = await claim(stores)
    await asyncio.sleep(LEASE.total_seconds() + 0.1)
    [holder] = await claim(stores, lease=timedelta(minutes=1))

    settled = await stores.deliveries.settle(
        slow, DeliveryState.SENT, reason=None, now=now()
    )
    await stores.deliveries.put_back(
        slow, due_at=now(), reason="x", attempts=1, unknowns=0
    )

    assert not settled
    assert await claim(stores) == []
    assert await stores.deliveries.settle(
        holder, DeliveryState.SENT, reason=None, now=now()
    )
    assert (await stores.deliveries.pending())[Channel.EMAIL] == 0


async def test_what_a_dead_process_held_is_due_at_once(stores: Stores) -> None:
    """Its successor of the same name releases it; another name does not."""
    await stores.deliveries.add([mail(UserId(new_id()), None)])
    [held] = await claim(stores, lease=timedelta(minutes=1))

    assert await stores.deliveries.release("test-2") == 0
    assert await stores.deliveries.release("test-1") == 1

    [again] = await claim(stores)
    assert again.delivery_id == held.delivery_id


async def test_a_notice_survives_the_store(stores: Stores) -> None:
    """What a mail about an account says comes back whole."""
    notice = Notice(
        NoticeKind.VERIFICATION,
        "ada@example.org",
        "Ada",
        "de",
        token="t",
        valid_until=datetime(2026, 1, 1, tzinfo=UTC),
    )
    await stores.deliveries.add([mail(UserId(new_id()), None, notice=notice)])

    [claimed] = await claim(stores)

    assert claimed.notice == notice
    assert claimed.origin.trace_id == "aa"


@pytest.mark.parametrize("at_once", [1, 10, 50])
async def test_messages_gather_in_one_mail(stores: Stores, at_once: int) -> None:
    """A waiting mail takes the conversation's next messages, twenty by name."""
    ada, conversation = UserId(new_id()), ConversationId(new_id())
    mails = [
        mail(ada, conversation, messages=(MessageRef(MessageId(new_id()), seq),))
        for seq in range(1, MESSAGES_PER_MAIL + 4)
    ]
    for start in range(0, len(mails), at_once):
        await stores.deliveries.add_to_mails(mails[start : start + at_once])

    [claimed] = await claim(stores)

    assert [ref.seq for ref in claimed.messages] == list(
        range(1, MESSAGES_PER_MAIL + 1)
    )
    assert claimed.more_count == 3
    assert claimed.delivery_id == mails[0].delivery_id


async def test_a_claimed_mail_takes_no_more(stores: Stores) -> None:
    """A message that comes after the claim gets a mail of its own."""
    ada, conversation = UserId(new_id()), ConversationId(new_id())
    await stores.deliveries.add_to_mails([mail(ada, conversation)])
    [first] = await claim(stores, lease=timedelta(minutes=1))

    await stores.deliveries.add_to_mails([mail(ada, conversation)])

    [second] = await claim(stores)
    assert second.delivery_id != first.delivery_id
    assert len(first.messages) == len(second.messages) == 1


async def test_a_deferred_mail_goes_on_gathering(stores: Stores) -> None:
    """Given back untried it is open again, unless another one gathers by now."""
    ada, conversation = UserId(new_id()), ConversationId(new_id())
    await stores.deliveries.add_to_mails([mail(ada, conversation)])
    back = {"due_at": now(), "reason": "deferred", "attempts": 0, "unknowns": 0}
    [first] = await claim(stores)
    await stores.deliveries.put_back(first, is_claim_counted=False, **back)
    await stores.deliveries.add_to_mails([mail(ada, conversation)])

    [both] = await claim(stores)
    await stores.deliveries.add_to_mails([mail(ada, conversation)])
    await stores.deliveries.put_back(both, is_claim_counted=False, **back)
    await stores.deliveries.add_to_mails([mail(ada, conversation)])

    assert (len(both.messages), both.claims) == (2, 1)
    assert sorted(len(one.messages) for one in await claim(stores)) == [2, 2]


async def test_a_suppressed_address_is_known_in_any_case(stores: Stores) -> None:
    """Letters' case does not matter; other addresses are not touched."""
    address = f"{new_id()}@example.org"

    await stores.deliveries.suppress(
        address.upper(), user_id=None, reason="x", now=now()
    )

    asked = [address, "other@example.org"]
    assert await stores.deliveries.suppressed(asked) == {address}
