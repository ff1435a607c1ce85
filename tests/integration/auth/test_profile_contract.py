"""One contract for preferences and pictures, and the race for a revision."""

import asyncio
from contextlib import asynccontextmanager, nullcontext

import pytest

from libs.kernel import new_id
from services.auth.domain import (
    ClockFormat,
    MessageDensity,
    Picture,
    Preferences,
    Theme,
)
from services.auth.repository import (
    MemoryPictureRepository,
    MemoryPreferencesRepository,
    MongoPictureRepository,
    MongoPreferencesRepository,
)
from tests.support.mongo import emptied_database

pytestmark = pytest.mark.integration

CHOSEN = Preferences(
    revision=3,
    theme=Theme.HIGH_CONTRAST,
    message_density=MessageDensity.COMPACT,
    clock_format=ClockFormat.TWENTY_FOUR_HOURS,
    has_reduced_motion=True,
    sends_with_enter=False,
    client_settings={"web.sidebar": 240, "web.beta": True, "ios.sound": "$ding"},
)


@asynccontextmanager
async def _mongo(stack):
    url = stack.admin_mongo_url
    async with emptied_database(url, "contract_auth") as database:
        pictures = MongoPictureRepository(database)
        for _ in range(2):
            await pictures.create_indexes()
        yield MongoPreferencesRepository(database), pictures


@pytest.fixture(params=["memory", "mongo"])
async def stores(request, stack):
    """Preferences and pictures of one backend, empty."""
    memory = (MemoryPreferencesRepository(), MemoryPictureRepository())
    is_mongo = request.param == "mongo"
    async with _mongo(stack) if is_mongo else nullcontext(memory) as opened:
        yield opened


async def test_preferences_are_kept_whole_and_forgotten(stores):
    """Defaults first, then every field as it was put, then the defaults again."""
    preferences, _ = stores
    ann, bob = new_id(), new_id()
    assert await preferences.get(ann, None) == Preferences()
    for chosen in (Preferences(revision=1), CHOSEN):
        await preferences.put(ann, chosen, None)
    assert await preferences.get(ann, None) == CHOSEN
    assert await preferences.get(bob, None) == Preferences()
    await preferences.remove(ann, None)
    assert await preferences.get(ann, None) == Preferences()


async def test_a_deleted_picture_stays_deleted(stores):
    """Whether it was told of before or after, once or twice."""
    _, pictures = stores
    seen, unseen = (Picture(new_id(), new_id()) for _ in range(2))
    for _ in range(2):
        await pictures.add(seen, None)
    assert await pictures.get(seen.document_id, None) == seen
    for picture in (seen, unseen):
        await pictures.remove(picture.document_id, None)
        await pictures.add(picture, None)
        assert await pictures.get(picture.document_id, None) is None


async def test_pictures_of_a_user_are_forgotten_together(stores):
    """An erasure leaves others' alone."""
    _, pictures = stores
    ann, bob = new_id(), new_id()
    own, others = Picture(new_id(), ann), Picture(new_id(), bob)
    for picture in (own, others):
        await pictures.add(picture, None)
    await pictures.remove_all(ann, None)
    assert await pictures.get(own.document_id, None) is None
    assert await pictures.get(others.document_id, None) == others


async def test_of_twenty_changes_of_one_revision_one_is_made(client, mailbox, ann):
    """If-Match on the real database: the others are told that it is another now."""
    _, who = await client.login(ann)
    path = "/api/v1/me/preferences"

    async def change(number):
        status, _, answer = await client.call(
            "PATCH",
            path,
            {"client_settings": {"test.number": number}},
            principal=who,
            headers={"If-Match": '"0"'},
        )
        return status, answer.headers.get("ETag")

    answers = await asyncio.gather(*(change(number) for number in range(20)))
    assert sorted(answers, key=str) == [(200, '"1"')] + [(412, None)] * 19
