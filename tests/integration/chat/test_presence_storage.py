"""What users show of themselves, as it is stored: cards, contacts, Redis's script."""

from datetime import timedelta
from types import SimpleNamespace

import msgspec
import pytest

from libs.chassis.mongo import open_mongo
from libs.chassis.redis import open_redis
from libs.crypto import DataKeys, FieldSealer, FileKeyWrapper, KeyRing
from libs.kernel import SystemClock, new_id
from services.chat.cache import RedisPresenceStore, last_seen_key, presence_key
from services.chat.domain.presence import CustomStatus, LastSeen, PresenceCard
from services.chat.repository import (
    ConversationVault,
    MongoContactRepository,
    MongoConversationRepository,
    MongoPresenceCards,
    SenderMarkers,
)
from services.chat.repository.memory import (
    MemoryContacts,
    MemoryConversations,
    MemoryPresenceCards,
)
from tests.integration.chat.test_repositories import group, member

pytestmark = pytest.mark.integration
CLOCK = SystemClock()


@pytest.fixture(params=["memory", "mongo"])
async def storage(request, settings):
    """Each backend in turn."""
    if request.param == "memory":
        store = MemoryConversations()
        yield SimpleNamespace(
            conversations=store,
            contacts=MemoryContacts(store),
            cards=MemoryPresenceCards(),
        )
        return
    async with open_mongo(settings) as database:
        ring = KeyRing.from_file(settings.storage_keys_file)
        vault = ConversationVault(DataKeys(FileKeyWrapper(ring)))
        markers = SenderMarkers(database)
        yield SimpleNamespace(
            conversations=MongoConversationRepository(database, vault, markers),
            contacts=MongoContactRepository(database),
            cards=MongoPresenceCards(database, FieldSealer(KeyRing.generate())),
        )


async def test_a_card_holds_what_was_chosen(storage) -> None:
    """A status goes where it was taken back, or when its time is over, once."""
    ann, now, cards = new_id(), CLOCK.now(), storage.cards
    later = now.replace(microsecond=0) + timedelta(minutes=1)
    status = CustomStatus(emoji="🌴", text="away", expires_at=later)
    assert await cards.get_many([ann]) == {}
    await cards.put_last_seen(ann, LastSeen.CONTACTS)
    await cards.put_status(ann, status, session=None)
    card = PresenceCard(user_id=ann, last_seen=LastSeen.CONTACTS, custom_status=status)
    assert await cards.get_many([ann, new_id()]) == {ann: card}
    assert ann not in await cards.due(now, limit=1_000)
    assert not await cards.expire_status(ann, now, session=None)
    assert ann in await cards.due(later, limit=1_000)
    assert await cards.expire_status(ann, later, session=None)
    assert not await cards.expire_status(ann, later, session=None)
    assert not await cards.clear_status(ann, session=None)
    for_ever = CustomStatus(emoji=None, text="here", expires_at=None)
    await cards.put_status(ann, for_ever, session=None)
    assert ann not in await cards.due(later, limit=1_000)
    assert await cards.clear_status(ann, session=None)
    assert (await cards.get_many([ann]))[ann].custom_status is None


async def test_contacts_are_those_who_share_a_conversation(storage) -> None:
    """Who left it is none; only what is asked for is told."""
    ann, ben, eve, gone = (new_id() for _ in range(4))
    places = []
    for people in ((ann, ben), (ann, gone), (eve, ben)):
        place = group()
        rows = [member(place, one) for one in people]
        await storage.conversations.insert(place, rows, session=None)
        places.append(place)
    left = msgspec.structs.replace(member(places[1], gone), is_active=False)
    await storage.conversations.put_member(left, session=None)
    everybody = [ann, ben, eve, gone]
    assert await storage.contacts.contacts_among(ann, everybody) == {ann, ben}
    assert await storage.contacts.contacts_among(ben, [eve, gone]) == {eve}
    ids = [place.conversation_id for place in places]
    told = await storage.contacts.places_among([ben, gone], ids[:2])
    assert told == {ben: [ids[0]]}


async def test_a_status_is_sealed_for_its_user(settings) -> None:
    """Another's does not open, nor one whose key is gone."""
    ann, ben, ring = new_id(), new_id(), KeyRing.generate()
    status = CustomStatus(emoji=None, text="secret trip", expires_at=None)
    async with open_mongo(settings) as database:
        cards = MongoPresenceCards(database, FieldSealer(ring))
        for user_id in (ann, ben):
            await cards.put_status(user_id, status, session=None)
        stored = await database["presence_cards"].find_one({"_id": ann})
        assert b"secret" not in stored["status"]["c"]
        await database["presence_cards"].update_one(
            {"_id": ben}, {"$set": {"status": stored["status"]}}
        )
        found = await cards.get_many([ann, ben])
        assert found[ann].custom_status == status
        assert found[ben].custom_status is None
        other = MongoPresenceCards(database, FieldSealer(KeyRing.generate()))
        assert (await other.get_many([ann]))[ann].custom_status is None


async def test_the_switch_that_was_goes_on(settings) -> None:
    """A time that is kept is kept on, until its user chooses otherwise."""
    ann = new_id()
    async with open_redis(settings) as redis:
        store = RedisPresenceStore(redis, CLOCK)

        async def stay():
            await store.beat(
                ann, "phone", "online", ttl_seconds=60, keeps_last_seen=None
            )
            there = (await store.states([ann]))[ann]
            await store.leave(ann, "phone")
            return there.keeps_last_seen, (await store.states([ann]))[ann]

        _, gone = await stay()
        assert gone.last_seen_at is None
        await redis.set(last_seen_key(ann), 1_000)  # as the switch left it
        keeps, gone = await stay()
        assert keeps
        assert gone.last_seen_at.year > 2000
        kept_at = gone.last_seen_at
        await store.keep_last_seen(ann, keeps=True)  # from afar: nobody was there
        assert (await store.states([ann]))[ann].last_seen_at == kept_at
        await store.keep_last_seen(ann, keeps=False)
        assert not (await store.states([ann]))[ann].keeps_last_seen
        keeps, gone = await stay()
        assert (keeps, gone.last_seen_at) == (False, None)
        assert not await redis.exists(presence_key(ann), last_seen_key(ann))
