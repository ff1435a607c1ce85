"""Avatars: pictures that media told of, owned, and there."""

import pytest

from libs.events.catalog import MediaDeleted, MediaProcessed, UserUpdated
from libs.events.memory import InMemoryBus
from libs.kernel import new_id
from services.auth.domain import UserStatus
from services.auth.domain.errors import AvatarUnknownError


@pytest.fixture
async def ann(house):
    """An active user."""
    return await house.join(name="Ann")


@pytest.fixture
def media(house):
    """Media's end of the same broker."""
    bus = InMemoryBus("media", clock=house.clock, broker=house.bus.broker)

    async def tell(*events):
        async with bus.transaction() as transaction:
            for event in events:
                transaction.publish(event)
        await house.bus.settled()

    return tell


def _processed(owner_id, document_id=None, content_type="image/png"):
    return MediaProcessed(
        document_id=document_id or new_id(),
        owner_id=owner_id,
        conversation_id=None,
        project_id=None,
        content_type=content_type,
        size_bytes=1,
        renditions=("thumbnail",),
    )


async def test_an_own_picture_becomes_the_avatar_and_is_told(house, ann, media):
    """The event carries it to whoever shows profiles; taking it away too."""
    picture = _processed(ann)
    await media(picture)
    avatars = house.state["avatars"]
    for _ in range(2):
        user = await avatars.choose(ann, picture.document_id)
    assert user.avatar_document_id == picture.document_id
    await avatars.remove(ann)
    told = [e.avatar_document_id for e in house.bus.published_of(UserUpdated)]
    assert told == [picture.document_id, None]


async def test_only_an_own_checked_picture_will_do(house, ann, media):
    """Another's, a text, a deleted one and an unknown one get the same refusal."""
    others, text, gone = _processed(new_id()), _processed(ann), _processed(ann)
    text = _processed(ann, content_type="text/plain")
    await media(others, text, gone)
    await media(MediaDeleted(document_id=gone.document_id, deleted_by=ann))
    for document_id in (
        others.document_id,
        text.document_id,
        gone.document_id,
        new_id(),
    ):
        with pytest.raises(AvatarUnknownError):
            await house.state["avatars"].choose(ann, document_id)
    assert house.bus.published_of(UserUpdated) == []


async def test_a_deleted_picture_is_nobodys_avatar(house, ann, media):
    """Told once, of a suspended owner too; another deleted picture changes nothing."""
    shown, other = _processed(ann), _processed(ann)
    await media(shown, other)
    await house.state["avatars"].choose(ann, shown.document_id)
    await house.change(ann, status=UserStatus.SUSPENDED)
    await media(MediaDeleted(document_id=other.document_id, deleted_by=ann))
    assert (await house.user(ann)).avatar_document_id == shown.document_id
    for _ in range(2):
        await media(MediaDeleted(document_id=shown.document_id, deleted_by=ann))
    assert (await house.user(ann)).avatar_document_id is None
    assert len(house.bus.published_of(UserUpdated)) == 2


async def test_a_picture_that_was_deleted_first_stays_deleted(house, ann, media):
    """Events of a document that arrive in the wrong order bring it back never."""
    picture = _processed(ann)
    await media(MediaDeleted(document_id=picture.document_id, deleted_by=ann))
    await media(picture)
    with pytest.raises(AvatarUnknownError):
        await house.state["avatars"].choose(ann, picture.document_id)


async def test_avatar_over_the_routes(api, ann, house, media):
    """Chosen, seen by others, taken away, refused by its code."""
    picture = _processed(ann)
    await media(picture)
    _, who = await api.login()
    path, body = "/api/v1/me/avatar", {"document_id": picture.document_id}
    chosen = await api("PUT", path, body, who=who)
    assert chosen.json()["avatar_document_id"] == picture.document_id
    other = await house.person(name="Bob")
    seen = await house.state["profiles"].get(ann)
    assert seen.avatar_document_id == picture.document_id
    assert other.user_id != ann
    assert (await api("DELETE", path, who=who)).status == 204
    refused = await api("PUT", path, {"document_id": new_id()}, who=who)
    assert (refused.status, refused.json()["code"]) == (400, "avatar_unknown")
