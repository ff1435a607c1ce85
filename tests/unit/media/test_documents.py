"""Reading, deleting and sweeping, in memory."""

from datetime import timedelta

import pytest

from libs.events.catalog.conversation import ConversationDeleted
from libs.events.catalog.media import MediaDeleted, MediaRejected
from libs.kernel import new_id
from services.media.domain import (
    DocumentForbiddenError,
    DocumentNotFoundError,
    DocumentNotReadyError,
    DocumentStatus,
    MembershipChange,
    ScopeNotFoundError,
    conversation_scope,
    private_scope,
)
from services.media.service import SweepReport, UploadRequest

HOME = conversation_scope("c")
PNG = bytes.fromhex("89504e470d0a1a0a") + b"0" * 60


@pytest.fixture
async def ada(media):
    """A member of the conversation."""
    return await a_member(media)


async def a_member(media):
    """Add somebody to the conversation."""
    user_id = new_id()
    await media.access.apply([MembershipChange(HOME, user_id, 1, "member")], [])
    return user_id


async def announced(media, owner_id, **where):
    """Announce a text of five bytes; return document and ticket."""
    request = UploadRequest(
        owner_id=owner_id,
        file_name="Notiz ä.txt",
        content_type="text/plain",
        size_bytes=5,
        **where,
    )
    return await media.uploads.announce_upload(request)


async def shared(media, owner_id, content=b"hello", **where):
    """Upload a text to the end."""
    where = where or {"conversation_id": "c"}
    document, ticket = await announced(media, owner_id, **where)
    assert media.store.put_by_ticket(ticket, content)
    await media.uploads.complete_upload(document.document_id, owner_id)
    await media.bus.settled()
    return await media.repository.get(document.document_id)


async def test_members_read(media, ada):
    """Members get a short link to the bytes, as an attachment with the name."""
    ben = await a_member(media)
    document = await shared(media, ada)
    link = await media.documents.link_content(document.document_id, ben)
    assert link.expires_at - media.clock.now() == timedelta(seconds=60)
    assert link.url.startswith(f"memory:{document.content_key}?type=text/plain")
    assert "attachment" in link.url
    assert "Notiz%20%C3%A4.txt" in link.url
    assert link.url not in repr(link)


async def test_others_see_nothing(media, ada):
    """Strangers and former members do not know that it is there."""
    document = await shared(media, ada)
    eve, gone = new_id(), await a_member(media)
    await media.access.apply([MembershipChange(HOME, gone, 2, None)], [])
    use = media.documents
    for user_id in (eve, gone):
        for ask in (use.get_document, use.link_content, use.delete_document):
            with pytest.raises(DocumentNotFoundError):
                await ask(document.document_id, user_id)
        with pytest.raises(DocumentNotFoundError):
            await use.link_rendition(document.document_id, "thumbnail", user_id)
        with pytest.raises(ScopeNotFoundError):
            await use.list_documents(HOME, user_id, before_id=None, limit=5)


async def test_private_documents(media, ada):
    """A document without a home is its owner's alone."""
    request = UploadRequest(ada, "a.txt", "text/plain", 5)
    document, ticket = await media.uploads.announce_upload(request)
    media.store.put_by_ticket(ticket, b"hello")
    await media.uploads.complete_upload(document.document_id, ada)
    await media.bus.settled()
    own = private_scope(ada)
    use = media.documents
    (listed,) = await use.list_documents(own, ada, before_id=None, limit=5)
    assert listed.document_id == document.document_id
    with pytest.raises(DocumentNotFoundError):
        await use.get_document(document.document_id, await a_member(media))
    with pytest.raises(ScopeNotFoundError):
        await use.list_documents(own, new_id(), before_id=None, limit=5)


async def test_only_ready_documents_are_read(media, ada):
    """Nothing unchecked is handed out, not even to its owner."""
    document, _ = await announced(media, ada, conversation_id="c")
    with pytest.raises(DocumentNotReadyError) as refusal:
        await media.documents.link_content(document.document_id, ada)
    assert refusal.value.details == {"status": "uploading"}
    ben = await a_member(media)
    with pytest.raises(DocumentNotFoundError):
        await media.documents.get_document(document.document_id, ben)


async def test_renditions_have_names(media, ada):
    """A text has no thumbnail."""
    document = await shared(media, ada)
    with pytest.raises(DocumentNotFoundError):
        await media.documents.link_rendition(document.document_id, "thumbnail", ada)


async def test_everybody_sees_the_small_forms_of_an_avatar(media, ada):
    """Not the file itself, not its description, and not once another is shown."""
    request = UploadRequest(ada, "me.png", "image/png", len(PNG))
    document, ticket = await media.uploads.announce_upload(request)
    assert media.store.put_by_ticket(ticket, PNG)
    await media.uploads.complete_upload(document.document_id, ada)
    await media.bus.settled()
    use, eve = media.documents, new_id()
    asked = (document.document_id, "thumbnail", eve)
    with pytest.raises(DocumentNotFoundError):
        await use.link_rendition(*asked)
    await media.access.put_avatar(ada, document.document_id, 2)
    assert "thumbnail" in (await use.link_rendition(*asked)).url
    for ask in (use.get_document, use.link_content, use.delete_document):
        with pytest.raises(DocumentNotFoundError):
            await ask(document.document_id, eve)
    await media.access.put_avatar(ada, new_id(), 3)
    with pytest.raises(DocumentNotFoundError):
        await use.link_rendition(*asked)
    await media.access.put_avatar(ada, document.document_id, 4)
    await use.delete_document(document.document_id, ada)
    with pytest.raises(DocumentNotFoundError):
        await use.link_rendition(*asked)


async def test_delete(media, ada):
    """Its owner deletes a document with its bytes; members may not."""
    ben = await a_member(media)
    document = await shared(media, ada)
    with pytest.raises(DocumentForbiddenError):
        await media.documents.delete_document(document.document_id, ben)
    await media.documents.delete_document(document.document_id, ada)
    await media.bus.settled()
    assert list(media.store.objects) == [document.quarantine_key]
    assert [event.deleted_by for event in media.bus.published_of(MediaDeleted)] == [ada]
    for user_id in (ada, ben):
        with pytest.raises(DocumentNotFoundError):
            await media.documents.get_document(document.document_id, user_id)
    with pytest.raises(DocumentNotFoundError):
        await media.documents.delete_document(document.document_id, ada)


@pytest.mark.parametrize("deleted_by", [None, "somebody"])
async def test_documents_go_with_their_home(media, ada, deleted_by):
    """A deleted conversation takes its documents along, in every status."""
    ready = await shared(media, ada)
    waiting, _ = await announced(media, ada, conversation_id="c")
    other, _ = await announced(media, ada)
    event = ConversationDeleted(conversation_id="c", revision=9, deleted_by=deleted_by)
    async with media.bus.transaction() as transaction:
        transaction.publish(event)
    gone = await media.bus.delivered(MediaDeleted, count=2)
    assert {event.document_id for event in gone} == {
        ready.document_id,
        waiting.document_id,
    }
    assert {event.deleted_by for event in gone} == {deleted_by or ada}
    assert ready.content_key not in media.store.objects
    kept = await media.repository.get(other.document_id)
    assert kept.status is DocumentStatus.UPLOADING


async def test_bytes_of_living_documents_stay(media, ada):
    """An erasure that nobody ordered removes nothing."""
    document = await shared(media, ada)
    await media.documents.erase_bytes(document.document_id)
    await media.documents.erase_bytes(new_id())
    assert document.content_key in media.store.objects


async def test_owner_deletes_after_leaving(media, ada):
    """Who left may still withdraw what is theirs."""
    document = await shared(media, ada)
    await media.access.apply([MembershipChange(HOME, ada, 2, None)], [])
    await media.documents.delete_document(document.document_id, ada)
    assert len(media.bus.published_of(MediaDeleted)) == 1


async def test_sweep_clears_quarantine(media, ada):
    """What an outcome left in quarantine goes when its ticket has ended."""
    ready = await shared(media, ada)
    assert ready.quarantine_key in media.store.objects
    assert await media.sweeping.sweep() == SweepReport()
    media.clock.advance(timedelta(minutes=7))
    assert await media.sweeping.sweep() == SweepReport(cleared=1)
    assert ready.quarantine_key not in media.store.objects
    assert await media.sweeping.sweep() == SweepReport()


async def test_sweep_forgets_abandoned_uploads(media, ada):
    """An upload that nobody completed is forgotten after a day, sent or not."""
    empty, _ = await announced(media, ada, conversation_id="c")
    full, ticket = await announced(media, ada, conversation_id="c")
    media.store.put_by_ticket(ticket, b"hello")
    media.clock.advance(timedelta(hours=23))
    assert await media.sweeping.sweep() == SweepReport()
    media.clock.advance(timedelta(hours=2))
    assert await media.sweeping.sweep() == SweepReport(abandoned=2)
    assert media.store.objects == {}
    for document in (empty, full):
        assert await media.repository.get(document.document_id) is None


async def test_sweep_gives_up_on_stalled_checks(idle_media):
    """Checks that never ended are told as a rejection."""
    ada = new_id()
    document, ticket = await announced(idle_media, ada)
    idle_media.store.put_by_ticket(ticket, b"hello")
    await idle_media.uploads.complete_upload(document.document_id, ada)
    idle_media.clock.advance(timedelta(hours=25))
    assert (await idle_media.sweeping.sweep()).stalled == 1
    after = await idle_media.repository.get(document.document_id)
    assert after.status is DocumentStatus.REJECTED
    (event,) = idle_media.bus.published_of(MediaRejected)
    assert event.reason == "checks_failed"
    assert (await idle_media.sweeping.sweep()).cleared == 1


async def test_sweep_is_one_process_duty(idle_media):
    """While another process holds the lease nothing is swept."""
    ends = idle_media.clock.now() + timedelta(minutes=1)
    idle_media.lease.leases["sweep"] = ("other", ends)
    assert await idle_media.sweeping.sweep() is None
    idle_media.clock.advance(timedelta(minutes=2))
    assert await idle_media.sweeping.sweep() == SweepReport()
