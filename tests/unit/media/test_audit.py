"""What media records of documents, and what it never does."""

from libs.kernel import new_id
from services.media.domain import (
    MembershipChange,
    conversation_scope,
)
from services.media.service import UploadRequest
from tests.unit.media.test_documents import HOME, a_member, announced, shared

MARKER = "severance-letter"


async def test_au_2_a_document_is_recorded_from_its_upload_to_its_end(media) -> None:
    """AU-2: who uploaded, what the checks said, who deleted; never under what name."""
    ada = await a_member(media)
    request = UploadRequest(
        owner_id=ada,
        file_name=f"{MARKER}.txt",
        content_type="text/plain",
        size_bytes=5,
        conversation_id="c",
    )
    document, ticket = await media.uploads.announce_upload(request)
    assert media.store.put_by_ticket(ticket, b"hello")
    await media.uploads.complete_upload(document.document_id, ada)
    await media.bus.settled()
    await media.documents.delete_document(document.document_id, ada)
    assert [(e.action, e.actor_id, e.on_behalf_of) for e in media.audit.entries] == [
        ("document.uploaded", ada, ""),
        ("document.accepted", "media", ada),
        ("document.deleted", ada, ""),
    ]
    for entry in media.audit.entries:
        assert entry.target_id == document.document_id
        assert entry.details["scope"] == HOME.key
    told = repr(media.audit.entries)
    assert MARKER not in told
    assert document.storage_key not in told


async def test_au_2_a_refused_upload_says_why(media) -> None:
    """AU-2: the reason's slug, and for whom it was checked."""
    ada = await a_member(media)
    document, ticket = await announced(media, ada, conversation_id="c")
    assert media.store.put_by_ticket(ticket, b"\x89PNG\r")
    await media.uploads.complete_upload(document.document_id, ada)
    await media.bus.settled()
    (refused,) = media.audit.of("document.refused")
    assert (refused.on_behalf_of, refused.result) == (ada, "refused")
    stored = await media.repository.get(document.document_id)
    assert refused.reason == stored.reject_reason


async def test_who_deletes_a_place_deletes_its_documents(media) -> None:
    """Nobody stands in the record for an owner who did nothing."""
    ada = await a_member(media)
    document = await shared(media, ada)
    keeper = new_id()
    await media.documents.delete_scope(HOME, keeper)
    other = conversation_scope("d")
    await media.access.apply([MembershipChange(other, ada, 1, "member")], [])
    later = await shared(media, ada, conversation_id="d")
    await media.documents.delete_scope(other, None)
    gone = {entry.target_id: entry for entry in media.audit.of("document.deleted")}
    assert gone[document.document_id].actor_id == keeper
    assert gone[later.document_id].actor_id == "media"
    assert gone[later.document_id].on_behalf_of == ada
