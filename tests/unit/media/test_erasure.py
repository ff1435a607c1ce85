"""People who are suspended or gone: what they are handed, and what stays of them."""

import pytest

from libs.events.catalog import (
    ErasureCompleted,
    MediaDeleted,
    UserDeleted,
    UserSuspended,
    UserUpdated,
)
from libs.kernel import UnavailableError
from services.media.domain import (
    DocumentNotFoundError,
    DocumentStatus,
    MembershipChange,
    ScopeNotFoundError,
)
from tests.unit.media.test_documents import HOME, a_member, announced, shared


@pytest.fixture
async def ada(media):
    """A member of the conversation."""
    return await a_member(media)


async def alone(media, owner_id):
    """Upload a text that is its owner's alone; return the document."""
    document, ticket = await announced(media, owner_id)
    assert media.store.put_by_ticket(ticket, b"hello")
    await media.uploads.complete_upload(document.document_id, owner_id)
    await media.bus.settled()
    return await media.repository.get(document.document_id)


async def tell(media, event):
    """Publish an event and wait until everything it causes is done."""
    async with media.bus.transaction() as transaction:
        transaction.publish(event)
    await media.bus.settled()


def suspended(user_id, revision, *, is_suspended=True):
    """Return what auth says of a suspension."""
    return UserSuspended(user_id=user_id, revision=revision, is_suspended=is_suspended)


async def test_sr_6_the_suspended_are_handed_nothing(media, ada):
    """SR-6: no link, no list, no upload, of their own files neither; others go on."""
    document = await shared(media, ada)
    ben = await a_member(media)
    waiting, _ = await announced(media, ada, conversation_id="c")
    await tell(media, suspended(ada, 5))
    for refused in (
        media.documents.link_content(document.document_id, ada),
        media.documents.get_document(document.document_id, ada),
    ):
        with pytest.raises(DocumentNotFoundError):
            await refused
    for refused in (
        media.documents.list_documents(HOME, ada, before_id=None, limit=5),
        announced(media, ada),
        media.uploads.complete_upload(waiting.document_id, ada),
    ):
        with pytest.raises(ScopeNotFoundError):
            await refused
    assert await media.documents.link_content(document.document_id, ben)


async def test_sr_6_the_newest_word_on_a_suspension_counts(media, ada):
    """SR-6: an older one that comes late keeps nobody out, and lets nobody in."""
    document = await shared(media, ada)
    await tell(media, suspended(ada, 6, is_suspended=False))
    await tell(media, suspended(ada, 5))
    assert await media.documents.link_content(document.document_id, ada)
    await tell(media, suspended(ada, 7))
    await tell(media, suspended(ada, 6, is_suspended=False))
    with pytest.raises(DocumentNotFoundError):
        await media.documents.link_content(document.document_id, ada)


async def test_what_is_a_persons_alone_goes_with_them(media, ada):
    """Private files and their bytes, uploads that never came, the picture shown."""
    private = await alone(media, ada)
    common = await shared(media, ada)
    waiting, _ = await announced(media, ada, conversation_id="c")
    picture = private.document_id
    await tell(media, _shows(ada, picture, revision=3))
    assert await media.access.is_avatar(ada, picture)
    await tell(media, UserDeleted(user_id=ada, revision=9))
    [done] = media.bus.published_of(ErasureCompleted)
    assert (done.user_id, done.service, done.erased_count) == (ada, "media", 2)
    for document_id in (private.document_id, waiting.document_id):
        gone = await media.repository.get(document_id)
        assert (gone.status, gone.file_name) == (DocumentStatus.DELETED, "")
    assert private.content_key not in media.store.objects
    assert {one.document_id for one in media.bus.published_of(MediaDeleted)} == {
        private.document_id,
        waiting.document_id,
    }
    await tell(media, _shows(ada, picture, revision=4))
    assert not await media.access.is_avatar(ada, picture)
    kept = await media.repository.get(common.document_id)
    assert kept == common
    assert common.content_key in media.store.objects


async def test_file_of_a_conversation_stays_with_its_members(media, ada):
    """Who is left reads it; nothing is let in for who is gone."""
    document = await shared(media, ada)
    ben = await a_member(media)
    await tell(media, UserDeleted(user_id=ada, revision=9))
    assert await media.documents.link_content(document.document_id, ben)
    await media.access.apply([MembershipChange(HOME, ada, 99, "member")], [])
    with pytest.raises(ScopeNotFoundError):
        await announced(media, ada, conversation_id="c")
    with pytest.raises(ScopeNotFoundError):
        await announced(media, ada)


async def test_erasure_waits_for_the_store(media, ada):
    """While the store is away nothing is answered; the next try finds every file."""
    private = await alone(media, ada)
    media.store.is_down = True
    with pytest.raises(UnavailableError):
        await media.erasure.erase(ada, 9)
    kept = await media.repository.get(private.document_id)
    assert kept.status is DocumentStatus.READY
    assert media.bus.published_of(ErasureCompleted) == []
    media.store.is_down = False
    assert await media.erasure.erase(ada, 9) == 1
    assert await media.erasure.erase(ada, 9) == 0
    assert [one.erased_count for one in media.bus.published_of(ErasureCompleted)] == [
        1,
        0,
    ]


def _shows(user_id, document_id, revision):
    return UserUpdated(
        user_id=user_id,
        revision=revision,
        display_name="Ada",
        handle=None,
        locale="en",
        time_zone="UTC",
        status_text="",
        avatar_document_id=document_id,
        roles=("member",),
    )
