"""From the announcement to the outcome, in memory."""

import asyncio
from datetime import timedelta

import pytest

from libs.events.catalog.media import MediaProcessed, MediaRejected, MediaUploaded
from libs.kernel import UnavailableError, new_id
from services.media.domain import (
    ContentTypeMismatchError,
    DocumentForbiddenError,
    DocumentNotFoundError,
    DocumentStateError,
    DocumentStatus,
    DocumentTooLargeError,
    FileNameError,
    MembershipChange,
    ScopeAmbiguousError,
    ScopeArchivedError,
    ScopeChange,
    ScopeNotFoundError,
    UploadIncompleteError,
    UploadSizeMismatchError,
    conversation_scope,
    project_scope,
)
from services.media.service import UploadRequest

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(40)


def a_request(owner_id, content=PNG, name="a.png", declared="image/png", **where):
    """Return what a client wants to upload."""
    return UploadRequest(
        owner_id=owner_id,
        file_name=name,
        content_type=declared,
        size_bytes=len(content),
        **where,
    )


async def sent(media, owner_id, content=PNG, **options):
    """Announce and send; return the document, not completed yet."""
    request = a_request(owner_id, content, **options)
    document, ticket = await media.uploads.announce_upload(request)
    assert media.store.put_by_ticket(ticket, content)
    return document


async def outcome(media, content=PNG, **options):
    """Upload a file and return what became of it."""
    owner_id = new_id()
    document = await sent(media, owner_id, content, **options)
    await media.uploads.complete_upload(document.document_id, owner_id)
    await media.bus.settled()
    return await media.repository.get(document.document_id)


async def test_announced_upload(idle_media):
    """A ticket is for one object in quarantine, of that size, for five minutes."""
    request = a_request(new_id())
    document, ticket = await idle_media.uploads.announce_upload(request)
    assert document.status is DocumentStatus.UPLOADING
    assert ticket.url.startswith(f"memory:quarantine/{document.storage_key}?")
    lifetime = document.upload_expires_at - document.created_at
    assert lifetime == timedelta(minutes=5)
    assert await idle_media.repository.get(document.document_id) == document


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"name": "a/b.png"}, FileNameError),
        ({"declared": "text/html"}, ContentTypeMismatchError),
        ({"content": bytes(1_001)}, DocumentTooLargeError),
        ({"conversation_id": "c", "project_id": "p"}, ScopeAmbiguousError),
        ({"conversation_id": "c"}, ScopeNotFoundError),
        ({"project_id": "p"}, ScopeNotFoundError),
    ],
)
async def test_refused_announcements(idle_media, options, error):
    """What can be told at once is told at once."""
    with pytest.raises(error):
        await idle_media.uploads.announce_upload(a_request(new_id(), **options))


@pytest.mark.parametrize("scope", [conversation_scope("c"), project_scope("p")])
async def test_az_6_members_upload_until_it_is_archived(idle_media, scope):
    """AZ-6: a member may put something there, unless it is read-only."""
    ada = new_id()
    where = {"conversation_id": scope.conversation_id, "project_id": scope.project_id}
    await idle_media.access.apply([MembershipChange(scope, ada, 1, "member")], [])
    document, _ = await idle_media.uploads.announce_upload(a_request(ada, **where))
    assert document.scope == scope
    await idle_media.access.apply([], [ScopeChange(scope, 2, is_archived=True)])
    with pytest.raises(ScopeArchivedError):
        await idle_media.uploads.announce_upload(a_request(ada, **where))
    with pytest.raises(ScopeArchivedError):
        await idle_media.uploads.complete_upload(document.document_id, ada)


async def test_completion_checks_what_arrived(idle_media):
    """Completion needs the bytes, all of them, and their owner."""
    ada = new_id()
    document, _ = await idle_media.uploads.announce_upload(a_request(ada))
    document_id, uploads = document.document_id, idle_media.uploads
    with pytest.raises(DocumentNotFoundError):
        await uploads.complete_upload(document_id, new_id())
    with pytest.raises(DocumentNotFoundError):
        await uploads.complete_upload(new_id(), ada)
    with pytest.raises(UploadIncompleteError):
        await uploads.complete_upload(document_id, ada)
    idle_media.store.objects[document.quarantine_key] = (b"short", "image/png")
    with pytest.raises(UploadSizeMismatchError):
        await uploads.complete_upload(document_id, ada)
    idle_media.store.is_down = True
    with pytest.raises(UnavailableError):
        await uploads.complete_upload(document_id, ada)
    assert idle_media.bus.published == []


async def test_another_members_upload_is_not_mine_to_complete(idle_media):
    """A member sees that a document is another's once its bytes are there."""
    ada, ben, scope = new_id(), new_id(), conversation_scope("c")
    changes = [MembershipChange(scope, user, 1, "member") for user in (ada, ben)]
    await idle_media.access.apply(changes, [])
    document = await sent(idle_media, ada, conversation_id="c")
    with pytest.raises(DocumentNotFoundError):
        await idle_media.uploads.complete_upload(document.document_id, ben)
    await idle_media.uploads.complete_upload(document.document_id, ada)
    with pytest.raises(DocumentForbiddenError):
        await idle_media.uploads.complete_upload(document.document_id, ben)


async def test_completion_is_idempotent(idle_media):
    """However often and however fast it is completed, there is one event."""
    ada = new_id()
    document = await sent(idle_media, ada)
    complete = idle_media.uploads.complete_upload
    done = await asyncio.gather(
        *(complete(document.document_id, ada) for _ in range(5))
    )
    assert {item.status for item in done} == {DocumentStatus.PROCESSING}
    assert len(idle_media.bus.published_of(MediaUploaded)) == 1


async def test_completion_of_what_was_deleted_meanwhile(idle_media, monkeypatch):
    """A deletion that was faster wins."""
    ada = new_id()
    document = await sent(idle_media, ada)
    stat = idle_media.store.stat

    async def delete_first(key):
        await idle_media.documents.delete_document(document.document_id, ada)
        return await stat(key)

    monkeypatch.setattr(idle_media.store, "stat", delete_first)
    with pytest.raises(DocumentStateError):
        await idle_media.uploads.complete_upload(document.document_id, ada)
    assert idle_media.bus.published_of(MediaUploaded) == []


async def test_image_is_processed(media):
    """What readers get is what the renderer made, described by its own hash."""
    document = await outcome(media)
    assert document.status is DocumentStatus.READY
    assert (document.width, document.height) == (800, 600)
    assert document.size_bytes == len(PNG) + 5
    assert media.store.objects[document.content_key][0] == PNG + b"clean"
    assert media.store.objects[document.rendition_key("thumbnail")][0] == b"123"
    assert media.store.objects[document.quarantine_key][0] == b""
    (event,) = media.bus.published_of(MediaProcessed)
    assert event.renditions == ("thumbnail",)
    assert event.size_bytes == document.size_bytes


async def test_text_is_kept_as_it_is(media):
    """A text needs no renderer."""
    media.renderer.is_down = True
    document = await outcome(media, b"hello", name="a.txt", declared="text/plain")
    assert document.status is DocumentStatus.READY
    assert media.store.objects[document.content_key][0] == b"hello"


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"<html>", "a.png", "type_mismatch"),
        (PNG, "a.png", "image_invalid"),
        (b"\x00", "a.txt", "type_mismatch"),
    ],
)
async def test_rejected(media, content, name, reason):
    """A refused file leaves nothing that anybody could read."""
    media.renderer.reason = "image_invalid"
    declared = "application/octet-stream"
    document = await outcome(media, content, name=name, declared=declared)
    assert (document.status, document.reject_reason) == ("rejected", reason)
    assert list(media.store.objects) == [document.quarantine_key]
    assert media.store.objects[document.quarantine_key][0] == b""
    assert [event.reason for event in media.bus.published_of(MediaRejected)] == [reason]


async def test_bytes_swapped_after_completion(idle_media):
    """Other bytes than those that were completed are refused."""
    ada = new_id()
    document = await sent(idle_media, ada)
    await idle_media.uploads.complete_upload(document.document_id, ada)
    for swapped in (b"x", PNG + b"more"):
        idle_media.store.objects[document.quarantine_key] = (swapped, "image/png")
        await idle_media.processing.process_upload(document.document_id)
    after = await idle_media.repository.get(document.document_id)
    assert after.reject_reason == "size_mismatch"


async def test_event_that_comes_twice(media):
    """A repeated event changes nothing and tells nothing."""
    document = await outcome(media)
    before = dict(media.store.objects)
    await media.processing.process_upload(document.document_id)
    assert media.store.objects == before
    assert len(media.bus.published_of(MediaProcessed)) == 1
    await media.processing.process_upload(new_id())


async def test_crash_between_store_and_commit(idle_media, monkeypatch):
    """A try that stored objects and died is made good by the next one."""
    ada = new_id()
    document = await sent(idle_media, ada)
    await idle_media.uploads.complete_upload(document.document_id, ada)
    run = idle_media.bus.run_transaction

    async def dies(callback):
        monkeypatch.setattr(idle_media.bus, "run_transaction", run)
        raise UnavailableError("database_unavailable", "gone")

    monkeypatch.setattr(idle_media.bus, "run_transaction", dies)
    with pytest.raises(UnavailableError):
        await idle_media.processing.process_upload(document.document_id)
    assert document.content_key in idle_media.store.objects
    await idle_media.processing.process_upload(document.document_id)
    after = await idle_media.repository.get(document.document_id)
    assert after.status is DocumentStatus.READY
    assert len(idle_media.bus.published_of(MediaProcessed)) == 1


@pytest.mark.parametrize("what", ["store", "renderer"])
async def test_transient_failures_are_tried_again(media, what):
    """A store or child that is away for a moment delays the outcome, no more."""
    ada = new_id()
    document = await sent(media, ada)
    await media.uploads.complete_upload(document.document_id, ada)
    getattr(media, what).is_down = True
    await asyncio.sleep(0.01)
    getattr(media, what).is_down = False
    await media.bus.settled()
    after = await media.repository.get(document.document_id)
    assert after.status is DocumentStatus.READY


async def test_deleted_during_the_checks(idle_media, monkeypatch):
    """A document that is deleted while it is checked leaves no objects."""
    ada = new_id()
    document = await sent(idle_media, ada)
    await idle_media.uploads.complete_upload(document.document_id, ada)
    render = idle_media.renderer.render

    async def delete_first(source, target):
        await idle_media.documents.delete_document(document.document_id, ada)
        return await render(source, target)

    monkeypatch.setattr(idle_media.renderer, "render", delete_first)
    await idle_media.processing.process_upload(document.document_id)
    assert list(idle_media.store.objects) == [document.quarantine_key]
    assert idle_media.store.objects[document.quarantine_key][0] == b""
    assert idle_media.bus.published_of(MediaProcessed) == []


async def test_store_that_stays_away(media):
    """When every try has failed the event is a dead letter, and the sweep ends it."""
    ada = new_id()
    document = await sent(media, ada)
    await media.uploads.complete_upload(document.document_id, ada)
    media.store.is_down = True
    await media.bus.settled()
    media.store.is_down = False
    assert len(media.bus.dead_letters("media", "process-uploads")) == 1
    after = await media.repository.get(document.document_id)
    assert after.status is DocumentStatus.PROCESSING
    media.clock.advance(timedelta(hours=25))
    assert (await media.sweeping.sweep()).stalled == 1
    after = await media.repository.get(document.document_id)
    assert after.reject_reason == "checks_failed"
