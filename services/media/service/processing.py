"""Check the bytes of an upload, and let them in or not."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from prometheus_client import Counter

from libs.chassis.audit import AuditTrail
from libs.events import EventBus, Transaction
from libs.events.catalog.media import MediaProcessed, MediaRejected
from services.media.domain import (
    OCTET_STREAM,
    ContentInspector,
    Document,
    DocumentStatus,
    FileRejectedError,
    Inspection,
    Treatment,
    expected_type,
    verified_type,
)
from services.media.ports import (
    DocumentRepository,
    ObjectStore,
    PictureRenderer,
    RenderedPicture,
)
from services.media.service.documents import erase_objects
from services.media.service.recording import record_document

log = structlog.get_logger()

_PIECE_BYTES = 256 * 1024
_outcomes = Counter(
    "media_documents", "Uploads that were checked, by outcome.", ["outcome"]
)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A document that passed, and the files to keep of it."""

    document: Document
    content: Path
    renditions: tuple[tuple[str, Path], ...] = ()


class ProcessingService:
    """The checks of DESIGN section 5: type, size, bombs; then the renditions.

    What readers get is stored from the very file that was checked, never copied from
    quarantine, where the client could have put something else meanwhile.
    """

    def __init__(
        self,
        documents: DocumentRepository,
        store: ObjectStore,
        renderer: PictureRenderer,
        bus: EventBus,
        *,
        audit: AuditTrail,
        folder: Path,
    ) -> None:
        self._documents = documents
        self._store = store
        self._renderer = renderer
        self._bus = bus
        self._audit = audit
        self._folder = folder

    async def process_upload(self, document_id: str) -> None:
        """Check an upload and commit the outcome.

        Idempotent and safe to be stopped anywhere: until the commit everything is
        done again, after it only the tidying.

        Raises:
            UnavailableError: Store, database or child do not answer; try again.

        Emits: media.processed or media.rejected.
        """
        document = await self._documents.get(document_id)
        if document is None:
            return
        if document.status is DocumentStatus.PROCESSING:
            async with self._workspace() as folder:
                await self._decide(document, folder)
        await self._tidy(document_id)

    async def reject(self, document: Document, reason: str) -> None:
        """Refuse a document that is ``processing``; nothing happens if it is not.

        Emits: media.rejected.
        """
        event = MediaRejected(
            document_id=document.document_id, owner_id=document.owner_id, reason=reason
        )
        if await self._commit(document.rejected(reason), event):
            _outcomes.labels("rejected").inc()
            log.warning(
                "document_rejected", document_id=document.document_id, reason=reason
            )

    async def _decide(self, document: Document, folder: Path) -> None:
        try:
            verdict = await self._check(document, folder)
        except FileRejectedError as error:
            await self.reject(document, error.code)
            return
        await self._keep(verdict)
        if await self._commit(verdict.document, _processed(verdict.document)):
            _outcomes.labels("ready").inc()
            log.info(
                "document_processed",
                document_id=document.document_id,
                size_bytes=verdict.document.size_bytes,
                content_type=verdict.document.content_type,
            )

    async def _check(self, document: Document, folder: Path) -> _Verdict:
        source = folder / "source"
        is_there = await self._store.download(
            document.quarantine_key, source, max_bytes=document.size_bytes
        )
        if not is_there:
            raise FileRejectedError("upload_missing")
        found = await asyncio.to_thread(inspect_file, source)
        if found.size_bytes != document.size_bytes:
            raise FileRejectedError("size_mismatch")
        expected = expected_type(document.file_name, OCTET_STREAM)
        verified = verified_type(expected, found)
        if verified.treatment is not Treatment.IMAGE:
            accepted = document.accepted(
                content_type=verified.content_type,
                size_bytes=found.size_bytes,
                sha256=found.sha256,
            )
            return _Verdict(accepted, source)
        target = folder / "rendered"
        target.mkdir()
        picture = await self._renderer.render(source, target)
        kept = await asyncio.to_thread(inspect_file, picture.content)
        return _picture_verdict(document, verified.content_type, picture, kept)

    async def _keep(self, verdict: _Verdict) -> None:
        document = verdict.document
        for name, path in verdict.renditions:
            rendition = document.rendition(name)
            await self._store.upload(
                document.rendition_key(name),
                path,
                content_type=rendition.content_type if rendition else OCTET_STREAM,
            )
        await self._store.upload(
            document.content_key, verdict.content, content_type=OCTET_STREAM
        )

    async def _commit(
        self, document: Document, event: MediaProcessed | MediaRejected
    ) -> bool:
        async def commit(transaction: Transaction) -> bool:
            is_stored = await self._documents.replace(
                document,
                expected=DocumentStatus.PROCESSING,
                session=transaction.session,
            )
            if is_stored:
                transaction.publish(event)
                await record_document(self._audit, transaction, document)
            return is_stored

        return await self._bus.run_transaction(commit)

    async def _tidy(self, document_id: str) -> None:
        """Remove what the outcome leaves behind, whoever committed it."""
        document = await self._documents.get(document_id)
        if document is None:
            return
        if document.status is DocumentStatus.DELETED:
            # Deleted while it was checked: objects may have been stored after that.
            await erase_objects(self._store, document)
        elif not document.is_quarantine_cleared:
            await self._store.blank(document.quarantine_key)

    @asynccontextmanager
    async def _workspace(self) -> AsyncIterator[Path]:
        workspace = await asyncio.to_thread(
            tempfile.TemporaryDirectory, dir=self._folder, ignore_cleanup_errors=True
        )
        try:
            yield Path(workspace.name)
        finally:
            await asyncio.to_thread(workspace.cleanup)


def inspect_file(path: Path) -> Inspection:
    """Read a file once and say what it is; blocks."""
    inspector = ContentInspector()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            inspector.feed(piece)
    return inspector.finish()


def _picture_verdict(
    document: Document, content_type: str, picture: RenderedPicture, kept: Inspection
) -> _Verdict:
    accepted = document.accepted(
        content_type=content_type,
        size_bytes=kept.size_bytes,
        sha256=kept.sha256,
        picture_size=(picture.width, picture.height),
        renditions=tuple(rendition for rendition, _ in picture.renditions),
    )
    files = tuple((rendition.name, path) for rendition, path in picture.renditions)
    return _Verdict(accepted, picture.content, files)


def _processed(document: Document) -> MediaProcessed:
    return MediaProcessed(
        document_id=document.document_id,
        owner_id=document.owner_id,
        conversation_id=document.scope.conversation_id,
        project_id=document.scope.project_id,
        content_type=document.content_type,
        size_bytes=document.size_bytes,
        renditions=tuple(item.name for item in document.renditions),
    )
