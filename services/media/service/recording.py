"""What the audit keeps of documents: ids, types and sizes; no name, no address."""

from libs.chassis.audit import AuditEntry, AuditResult, AuditTrail
from libs.events import Transaction
from services.media.domain import Document, DocumentStatus

MEDIA = "media"
"""The actor of what nobody asked for."""

_ACTIONS = {
    DocumentStatus.PROCESSING: "document.uploaded",
    DocumentStatus.READY: "document.accepted",
    DocumentStatus.REJECTED: "document.refused",
    DocumentStatus.DELETED: "document.deleted",
}


async def record_document(
    audit: AuditTrail,
    transaction: Transaction,
    document: Document,
    *,
    actor_id: str = MEDIA,
) -> None:
    """Record that a document came into its status, in the transaction of it.

    Args:
        audit: Keeps the record.
        transaction: The change's.
        document: As it is from now on.
        actor_id: Who did it.

    Raises:
        UnavailableError: It cannot be recorded: the change must not happen.
    """
    is_refused = document.status is DocumentStatus.REJECTED
    entry = AuditEntry(
        action=_ACTIONS[document.status],
        actor_id=actor_id,
        target_id=document.document_id,
        on_behalf_of="" if actor_id == document.owner_id else document.owner_id,
        result=AuditResult.REFUSED if is_refused else AuditResult.SUCCESS,
        reason=document.reject_reason or "",
        details={
            "scope": document.scope.key,
            "content_type": document.content_type,
            "size_bytes": document.size_bytes,
        },
    )
    await audit.record(entry, transaction.session)
