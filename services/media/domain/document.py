"""A document and the statuses it goes through."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from services.media.domain.access import Scope
from services.media.domain.errors import DocumentStateError


class DocumentStatus(StrEnum):
    """Where a document is on its way.

    ``uploading`` → ``processing`` → ``ready`` or ``rejected``; from each of them →
    ``deleted``. There is no way back.
    """

    UPLOADING = "uploading"
    PROCESSING = "processing"
    READY = "ready"
    REJECTED = "rejected"
    DELETED = "deleted"


_NEXT = {
    DocumentStatus.UPLOADING: {DocumentStatus.PROCESSING, DocumentStatus.DELETED},
    DocumentStatus.PROCESSING: {
        DocumentStatus.READY,
        DocumentStatus.REJECTED,
        DocumentStatus.DELETED,
    },
    DocumentStatus.READY: {DocumentStatus.DELETED},
    DocumentStatus.REJECTED: {DocumentStatus.DELETED},
    DocumentStatus.DELETED: set(),
}


UNSHARED = (DocumentStatus.UPLOADING, DocumentStatus.REJECTED)
"""In these nobody but the owner has anything of a document, wherever it lives."""

RENDITION_NAMES = ("thumbnail", "preview")
"""Every rendition a document can have."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """A smaller picture made from an image.

    Attributes:
        name: ``thumbnail`` (at most 320 pixels a side) or ``preview`` (1,600).
        content_type: Of the rendition, not of the document.
        size_bytes: Of its bytes.
        width: In pixels.
        height: In pixels.
    """

    name: str
    content_type: str
    size_bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Document:
    """One file and what is known about it.

    Attributes:
        document_id: UUIDv7, so documents sort by the time they were announced.
        owner_id: Who uploads it.
        scope: Who else may read it.
        status: See `DocumentStatus`.
        file_name: Display name; private: sealed at rest, never logged.
        content_type: What the extension promises; once ready, what it is served as.
        size_bytes: As announced; once ready, of the bytes that are kept.
        storage_key: Random, 160 bits: the only part of an object's name that counts.
        created_at: When the upload was announced.
        upload_expires_at: When the upload ticket ends.
        completed_at: When the client said the bytes are there.
        sha256: Of the bytes that are kept, hexadecimal; once ready.
        width: Of an image, in pixels; once ready.
        height: Of an image, in pixels; once ready.
        renditions: Of an image; once ready.
        reject_reason: Stable slug; once rejected.
        is_quarantine_cleared: Nothing of it lies in quarantine any more.
    """

    document_id: str
    owner_id: str
    scope: Scope
    status: DocumentStatus
    file_name: str = field(repr=False)
    content_type: str
    size_bytes: int
    storage_key: str = field(repr=False)
    created_at: datetime
    upload_expires_at: datetime
    completed_at: datetime | None = None
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    renditions: tuple[Rendition, ...] = ()
    reject_reason: str | None = None
    is_quarantine_cleared: bool = False

    @property
    def quarantine_key(self) -> str:
        """Object that the client writes and nobody but the checks reads."""
        return quarantine_key(self.storage_key)

    @property
    def content_key(self) -> str:
        """Object that readers get."""
        return f"documents/{self.storage_key}"

    def rendition_key(self, name: str) -> str:
        """Object of one rendition."""
        return f"renditions/{self.storage_key}/{name}"

    @property
    def kept_keys(self) -> list[str]:
        """Every object it can have outside of quarantine.

        Also those that the document does not know of: checks that lost against a
        deletion may have stored them.
        """
        return [self.content_key, *(self.rendition_key(n) for n in RENDITION_NAMES)]

    def rendition(self, name: str) -> Rendition | None:
        """Return a rendition by its name, or None where there is none."""
        return next((item for item in self.renditions if item.name == name), None)

    def completed(self, at: datetime) -> "Document":
        """The bytes are there: the checks begin.

        Raises:
            DocumentStateError: It is not ``uploading``.
        """
        return self._moved(DocumentStatus.PROCESSING, completed_at=at)

    def accepted(
        self,
        *,
        content_type: str,
        size_bytes: int,
        sha256: str,
        picture_size: tuple[int, int] | None = None,
        renditions: tuple[Rendition, ...] = (),
    ) -> "Document":
        """Every check passed.

        Raises:
            DocumentStateError: It is not ``processing``.
        """
        width, height = picture_size or (None, None)
        return self._moved(
            DocumentStatus.READY,
            content_type=content_type,
            size_bytes=size_bytes,
            sha256=sha256,
            width=width,
            height=height,
            renditions=renditions,
        )

    def rejected(self, reason: str) -> "Document":
        """A check failed.

        Raises:
            DocumentStateError: It is not ``processing``.
        """
        return self._moved(DocumentStatus.REJECTED, reject_reason=reason)

    def deleted(self) -> "Document":
        """Forget it; the row stays as a tombstone without the private parts.

        Raises:
            DocumentStateError: It is deleted already.
        """
        return self._moved(DocumentStatus.DELETED, file_name="")

    def _moved(self, status: DocumentStatus, **changes: object) -> "Document":
        if status not in _NEXT[self.status]:
            raise DocumentStateError(self.status)
        return replace(self, status=status, **changes)  # type: ignore[arg-type]  # callers above are typed


def quarantine_key(storage_key: str) -> str:
    """Return the name of the object that a client writes."""
    return f"quarantine/{storage_key}"


def new_storage_key() -> str:
    """Return 40 hexadecimal digits from the system's random source."""
    return secrets.token_hex(20)
