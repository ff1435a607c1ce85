"""Read, list and delete documents."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from libs.chassis.audit import AuditTrail
from libs.events import EventBus, Transaction
from libs.events.catalog.media import MediaDeleted
from libs.kernel import Clock
from services.media.domain import (
    Document,
    DocumentNotFoundError,
    DocumentNotReadyError,
    DocumentStatus,
    Scope,
    content_disposition,
)
from services.media.ports import DocumentRepository, ObjectStore
from services.media.service.access import AccessPolicy
from services.media.service.recording import MEDIA, record_document

log = structlog.get_logger()

_PAGE = 100


@dataclass(frozen=True, slots=True)
class DownloadLink:
    """A URL that hands out bytes for a short time.

    Attributes:
        url: Presigned; a secret, never logged.
        expires_at: When it stops working.
    """

    url: str = field(repr=False)
    expires_at: datetime


class DocumentService:
    """What clients do with documents that are there."""

    def __init__(
        self,
        documents: DocumentRepository,
        store: ObjectStore,
        access: AccessPolicy,
        bus: EventBus,
        *,
        audit: AuditTrail,
        clock: Clock,
        link_lifetime: timedelta,
    ) -> None:
        self._documents = documents
        self._store = store
        self._access = access
        self._bus = bus
        self._audit = audit
        self._clock = clock
        self._link_lifetime = link_lifetime

    async def get_document(self, document_id: str, user_id: str) -> Document:
        """Return a document.

        Raises:
            DocumentNotFoundError: Missing, deleted, or not for this user.
        """
        found = await self._documents.get(document_id)
        return await self._access.require_visible(found, user_id)

    async def list_documents(
        self, scope: Scope, user_id: str, *, before_id: str | None, limit: int
    ) -> list[Document]:
        """Return the ready documents of a home, newest first.

        Raises:
            ScopeNotFoundError: The caller is no member there.
        """
        await self._access.require_reader(scope, user_id)
        return await self._documents.in_scope(scope, before_id=before_id, limit=limit)

    async def list_own(
        self, user_id: str, *, before_id: str | None, limit: int
    ) -> list[Document]:
        """Return what somebody uploaded, wherever it lives, newest first.

        What they uploaded to a conversation that they have left is theirs to know of.
        """
        return await self._documents.of_owner(user_id, before_id=before_id, limit=limit)

    async def link_content(self, document_id: str, user_id: str) -> DownloadLink:
        """Return a link to the bytes, as an attachment under the document's name.

        Raises:
            DocumentNotFoundError: Missing, deleted, or not for this user.
            DocumentNotReadyError: Not checked yet, or refused.
        """
        document = _ready(await self.get_document(document_id, user_id))
        return await self._link(
            document.content_key,
            content_type=document.content_type,
            disposition=content_disposition(document.file_name),
        )

    async def link_rendition(
        self, document_id: str, name: str, user_id: str
    ) -> DownloadLink:
        """Return a link to a rendition, which a browser may show in place.

        The picture of somebody's profile is shown to everybody.

        Raises:
            DocumentNotFoundError: Missing, deleted, not for this user, or it has no
                such rendition.
            DocumentNotReadyError: Not checked yet, or refused.
        """
        found = await self._documents.get(document_id)
        document = _ready(await self._access.require_shown(found, user_id))
        rendition = document.rendition(name)
        if rendition is None:
            raise DocumentNotFoundError
        extension = rendition.content_type.rpartition("/")[2]
        return await self._link(
            document.rendition_key(name),
            content_type=rendition.content_type,
            disposition=content_disposition(f"{name}.{extension}", is_inline=True),
        )

    async def delete_document(self, document_id: str, user_id: str) -> None:
        """Delete a document in any status; its bytes follow within moments.

        Raises:
            DocumentNotFoundError: Missing, deleted, or not for this user.
            DocumentForbiddenError: It is another's.

        Emits: media.deleted.
        """
        is_done = False
        while not is_done:  # a status that moves meanwhile moves forward, so it ends
            found = await self._documents.get(document_id)
            document = await self._access.require_owned(found, user_id)
            is_done = await self.commit_deletion(document, user_id)
        log.info("document_deleted", document_id=document_id)

    async def delete_scope(self, scope: Scope, deleted_by: str | None) -> None:
        """Delete every document of a home that is gone. Idempotent, in pages.

        Args:
            scope: A conversation or project that was deleted.
            deleted_by: Who deleted it; None: nobody, each document's owner stands in.

        Emits: media.deleted, one a document.
        """
        while page := await self._documents.living_in_scope(scope, limit=_PAGE):
            for document in page:
                await self.commit_deletion(
                    document,
                    deleted_by or document.owner_id,
                    actor_id=deleted_by or MEDIA,
                )
            log.info("scope_documents_deleted", scope=scope.key, count=len(page))

    async def erase_bytes(self, document_id: str) -> None:
        """Remove the bytes of a deleted document from the store. Idempotent."""
        document = await self._documents.get(document_id)
        if document is None or document.status is not DocumentStatus.DELETED:
            return
        await erase_objects(self._store, document)
        log.info("document_erased", document_id=document_id)

    async def commit_deletion(
        self, document: Document, user_id: str, *, actor_id: str = ""
    ) -> bool:
        """Store that a document is deleted; False if its status moved meanwhile.

        Args:
            document: As it was read.
            user_id: Who deletes it, as the event says.
            actor_id: Who does, as the audit says; the same if left out.

        Emits: media.deleted.
        """

        async def commit(transaction: Transaction) -> bool:
            deleted = document.deleted()
            is_stored = await self._documents.replace(
                deleted,
                expected=document.status,
                session=transaction.session,
            )
            if is_stored:
                transaction.publish(
                    MediaDeleted(document_id=document.document_id, deleted_by=user_id)
                )
                await record_document(
                    self._audit, transaction, deleted, actor_id=actor_id or user_id
                )
            return is_stored

        return await self._bus.run_transaction(commit)

    async def _link(
        self, key: str, *, content_type: str, disposition: str
    ) -> DownloadLink:
        expires_at = self._clock.now() + self._link_lifetime
        url = await self._store.sign_download(
            key,
            content_type=content_type,
            disposition=disposition,
            lifetime=self._link_lifetime,
        )
        return DownloadLink(url, expires_at)


def _ready(document: Document) -> Document:
    if document.status is not DocumentStatus.READY:
        raise DocumentNotReadyError(document.status)
    return document


async def erase_objects(store: ObjectStore, document: Document) -> None:
    """Remove every object of a document.

    What lies in quarantine is emptied, not removed: while its upload ticket works, an
    empty object keeps it from being used again. The sweep removes it.
    """
    await store.delete(document.kept_keys)
    if not document.is_quarantine_cleared:
        await store.blank(document.quarantine_key)
