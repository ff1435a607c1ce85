"""What the use cases need from outside: documents, access, bytes, pictures, a lease."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from services.media.domain import (
    Document,
    DocumentStatus,
    Membership,
    MembershipChange,
    Rendition,
    Scope,
    ScopeChange,
)

Session: TypeAlias = Any
"""A database session of `libs.events`; the driver's type stays in the adapters."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A document that may have something in quarantine.

    Attributes:
        document_id: Of the document.
        quarantine_key: Of the object.
    """

    document_id: str
    quarantine_key: str


class DocumentRepository(Protocol):
    """Documents by id, by home and by what is left to do."""

    async def insert(self, document: Document) -> None:
        """Store a new document."""
        ...

    async def get(self, document_id: str) -> Document | None:
        """Return a document in any status, or None."""
        ...

    async def replace(
        self,
        document: Document,
        *,
        expected: DocumentStatus,
        session: Session | None = None,
    ) -> bool:
        """Store a new state if the stored status still is the expected one.

        Returns:
            False where somebody else was faster; nothing was written.
        """
        ...

    async def remove(self, document_id: str, *, expected: DocumentStatus) -> bool:
        """Forget a document altogether, if its status still is the expected one."""
        ...

    async def mark_quarantine_cleared(self, document_id: str) -> None:
        """Note that nothing of it lies in quarantine any more; any status."""
        ...

    async def in_scope(
        self, scope: Scope, *, before_id: str | None, limit: int
    ) -> list[Document]:
        """Return ready documents of a home, newest first.

        Args:
            scope: The home.
            before_id: Only documents with a smaller id; None: from the newest.
            limit: At most so many.
        """
        ...

    async def of_owner(
        self, owner_id: str, *, before_id: str | None, limit: int
    ) -> list[Document]:
        """Return what somebody uploaded and is not deleted, newest first."""
        ...

    async def living_in_scope(self, scope: Scope, *, limit: int) -> list[Document]:
        """Return documents of a home in any status but ``deleted``, in any order."""
        ...

    async def private_to(self, owner_id: str, *, limit: int) -> list[Document]:
        """Return what nobody but its owner has of a person's documents, in any order.

        Those in their private home, and those elsewhere that never became ready; none
        that are ``deleted``.
        """
        ...

    async def uncleared(
        self, statuses: Collection[DocumentStatus], *, before: datetime, limit: int
    ) -> list[Leftover]:
        """Return documents that may have something in quarantine, oldest first.

        Opens no sealed field: a key that is lost does not stop the tidying.

        Args:
            statuses: Only documents in one of them.
            before: Only documents whose upload ticket ended before.
            limit: At most so many.
        """
        ...


class AccessRepository(Protocol):
    """Who is in which conversation or project, in whatever order the news came."""

    async def apply(
        self,
        members: Sequence[MembershipChange],
        scopes: Sequence[ScopeChange],
        *,
        session: Session | None = None,
    ) -> None:
        """Take changes over; older ones than the known are skipped. Idempotent."""
        ...

    async def membership(self, scope: Scope, user_id: str) -> Membership | None:
        """Return what somebody is in a conversation or project; None: nothing."""
        ...

    async def put_avatar(
        self,
        user_id: str,
        document_id: str | None,
        revision: int,
        *,
        session: Session | None = None,
    ) -> None:
        """Take over which picture a user shows; an older revision is skipped."""
        ...

    async def is_avatar(self, user_id: str, document_id: str) -> bool:
        """Tell whether a user shows this document as their picture."""
        ...

    async def put_suspension(
        self,
        user_id: str,
        revision: int,
        *,
        is_suspended: bool,
        session: Session | None = None,
    ) -> None:
        """Take over whether a person is kept out; an older revision is skipped."""
        ...

    async def put_deletion(self, user_id: str, revision: int) -> None:
        """Keep that a person is gone, for ever, and that they show no picture."""
        ...

    async def is_barred(self, user_id: str) -> bool:
        """Tell whether a person is suspended or gone."""
        ...


class Lease(Protocol):
    """Lets one process of many do a periodic duty."""

    async def acquire(self, name: str, *, duration: timedelta) -> bool:
        """Take or renew it; False while another process holds it."""
        ...


@dataclass(frozen=True, slots=True)
class UploadTicket:
    """How a client hands over its bytes.

    Attributes:
        method: HTTP method.
        url: Presigned; a secret until it ends, never logged.
        headers: To be sent exactly so.
    """

    method: str
    url: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the store knows of an object."""

    size_bytes: int
    content_type: str


class ObjectStore(Protocol):
    """Bytes under keys. Every method but the two that sign raises UnavailableError."""

    async def sign_upload(
        self, key: str, *, content_type: str, size_bytes: int, lifetime: timedelta
    ) -> UploadTicket:
        """Return a ticket for one object of exactly this key, type and size.

        It is refused while there is an object under the key.
        """
        ...

    async def sign_download(
        self, key: str, *, content_type: str, disposition: str, lifetime: timedelta
    ) -> str:
        """Return a URL that answers with these headers; a secret, never logged."""
        ...

    async def stat(self, key: str) -> StoredObject | None:
        """Return what lies under a key, or None."""
        ...

    async def download(self, key: str, target: Path, *, max_bytes: int) -> bool:
        """Write an object into a file.

        Returns:
            False where there is no object, or one larger than `max_bytes`: then
            nothing useful is in the file.
        """
        ...

    async def upload(self, key: str, source: Path, *, content_type: str) -> None:
        """Store a file under a key, over what was there."""
        ...

    async def blank(self, key: str) -> None:
        """Put an empty object there, which keeps an upload ticket from working."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there do not matter."""
        ...

    async def ping(self) -> None:
        """Ask the store for a sign of life."""
        ...


@dataclass(frozen=True, slots=True)
class RenderedPicture:
    """What came of an image: new bytes, without metadata.

    Attributes:
        content: File with the image itself, re-encoded in its own format.
        width: Of the image, in pixels, as it is seen (orientation applied).
        height: Likewise.
        renditions: What was made, with the file of each.
    """

    content: Path
    width: int
    height: int
    renditions: tuple[tuple[Rendition, Path], ...]


class PictureRenderer(Protocol):
    """Decodes images where a hostile one does no harm."""

    async def render(self, source: Path, target: Path) -> RenderedPicture:
        """Re-encode an image and make its renditions.

        Args:
            source: File with the image.
            target: Existing folder for the files it makes.

        Raises:
            FileRejectedError: ``image_invalid``, ``image_too_large`` or
                ``image_too_complex``.
            UnavailableError: It did not get to an end here and now.
        """
        ...
