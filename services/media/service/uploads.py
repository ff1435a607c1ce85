"""Announce an upload, and tell that its bytes are there."""

from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from libs.chassis.audit import AuditTrail
from libs.events import EventBus, Transaction
from libs.events.catalog.media import MediaUploaded
from libs.kernel import Clock, new_id
from services.media.domain import (
    Document,
    DocumentStateError,
    DocumentStatus,
    DocumentTooLargeError,
    Scope,
    ScopeAmbiguousError,
    UploadIncompleteError,
    UploadSizeMismatchError,
    check_file_name,
    conversation_scope,
    expected_type,
    new_storage_key,
    private_scope,
    project_scope,
)
from services.media.ports import DocumentRepository, ObjectStore, UploadTicket
from services.media.service.access import AccessPolicy
from services.media.service.recording import record_document

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class UploadPolicy:
    """What an upload may be.

    Attributes:
        max_bytes: Largest file.
        ticket_lifetime: How long an upload ticket works; at most 5 minutes.
    """

    max_bytes: int
    ticket_lifetime: timedelta


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """What a client wants to upload.

    Attributes:
        owner_id: The caller.
        file_name: As typed.
        content_type: As declared; it must fit the extension.
        size_bytes: Exact length of the bytes to come.
        conversation_id: Its members will read it; or
        project_id: its collaborators; neither: the owner alone.
    """

    owner_id: str
    file_name: str = field(repr=False)
    content_type: str
    size_bytes: int
    conversation_id: str | None = None
    project_id: str | None = None


class UploadService:
    """Upload tickets and their completion."""

    def __init__(
        self,
        documents: DocumentRepository,
        store: ObjectStore,
        access: AccessPolicy,
        bus: EventBus,
        *,
        audit: AuditTrail,
        clock: Clock,
        policy: UploadPolicy,
    ) -> None:
        self._documents = documents
        self._store = store
        self._access = access
        self._bus = bus
        self._audit = audit
        self._clock = clock
        self._policy = policy

    async def announce_upload(
        self, request: UploadRequest
    ) -> tuple[Document, UploadTicket]:
        """Make a document that waits for its bytes, and a ticket to send them.

        Returns:
            The document, ``uploading``, and a ticket for one PUT of exactly the
            announced length and type, refused once something lies there.

        Raises:
            FileNameError: See `check_file_name`.
            ContentTypeMismatchError: Extension and declared type disagree.
            DocumentTooLargeError: Over the limit.
            ScopeAmbiguousError: Conversation and project both given.
            ScopeNotFoundError: The caller is no member there.
            ScopeArchivedError: It is read-only there.
        """
        document = self._new_document(request)
        await self._access.require_contributor(document.scope, request.owner_id)
        ticket = await self._store.sign_upload(
            document.quarantine_key,
            content_type=request.content_type.partition(";")[0].strip().lower(),
            size_bytes=document.size_bytes,
            lifetime=self._policy.ticket_lifetime,
        )
        await self._documents.insert(document)
        log.info(
            "upload_announced",
            document_id=document.document_id,
            size_bytes=document.size_bytes,
        )
        return document, ticket

    async def complete_upload(self, document_id: str, user_id: str) -> Document:
        """Take the client's word that the bytes are there, check it, start the checks.

        Idempotent: a document that is past ``uploading`` is returned as it is.

        Raises:
            DocumentNotFoundError: No such document of the caller.
            DocumentForbiddenError: It is another's.
            ScopeNotFoundError: The owner has left the conversation meanwhile.
            UploadIncompleteError: Nothing has arrived.
            UploadSizeMismatchError: Something else has arrived.
            UnavailableError: The store does not answer.

        Emits: media.uploaded.
        """
        found = await self._documents.get(document_id)
        document = await self._access.require_owned(found, user_id)
        if document.status is not DocumentStatus.UPLOADING:
            return document
        await self._access.require_contributor(document.scope, user_id)
        stored = await self._store.stat(document.quarantine_key)
        if stored is None:
            raise UploadIncompleteError
        if stored.size_bytes != document.size_bytes:
            raise UploadSizeMismatchError
        return await self._commit_completion(document)

    async def _commit_completion(self, document: Document) -> Document:
        completed = document.completed(self._clock.now())

        async def commit(transaction: Transaction) -> bool:
            is_stored = await self._documents.replace(
                completed,
                expected=DocumentStatus.UPLOADING,
                session=transaction.session,
            )
            if is_stored:
                transaction.publish(_uploaded(completed))
                await record_document(
                    self._audit, transaction, completed, actor_id=completed.owner_id
                )
            return is_stored

        if await self._bus.run_transaction(commit):
            log.info("upload_completed", document_id=document.document_id)
            return completed
        current = await self._documents.get(document.document_id)
        if current is None or current.status is DocumentStatus.DELETED:
            raise DocumentStateError(DocumentStatus.DELETED)
        return current

    def _new_document(self, request: UploadRequest) -> Document:
        file_name = check_file_name(request.file_name)
        file_type = expected_type(file_name, request.content_type)
        if request.size_bytes > self._policy.max_bytes:
            raise DocumentTooLargeError(self._policy.max_bytes)
        now = self._clock.now()
        return Document(
            document_id=new_id(),
            owner_id=request.owner_id,
            scope=_scope_of(request),
            status=DocumentStatus.UPLOADING,
            file_name=file_name,
            content_type=file_type.content_type,
            size_bytes=request.size_bytes,
            storage_key=new_storage_key(),
            created_at=now,
            upload_expires_at=now + self._policy.ticket_lifetime,
        )


def _scope_of(request: UploadRequest) -> Scope:
    if request.conversation_id and request.project_id:
        raise ScopeAmbiguousError
    if request.conversation_id:
        return conversation_scope(request.conversation_id)
    if request.project_id:
        return project_scope(request.project_id)
    return private_scope(request.owner_id)


def _uploaded(document: Document) -> MediaUploaded:
    return MediaUploaded(
        document_id=document.document_id,
        owner_id=document.owner_id,
        conversation_id=document.scope.conversation_id,
        project_id=document.scope.project_id,
        size_bytes=document.size_bytes,
    )
