"""Where the projection of documents is kept."""

from collections.abc import Sequence
from typing import Protocol

from libs.kernel import DocumentId
from services.chat.domain.attachment import Attachment
from services.chat.ports.session import Session


class AttachmentRepository(Protocol):
    """The projection of documents."""

    async def get_many(
        self, document_ids: Sequence[DocumentId], *, session: Session = None
    ) -> dict[DocumentId, Attachment]:
        """Return those that are known."""
        ...

    async def put(self, attachment: Attachment, *, session: Session) -> None:
        """Store a document, new or changed."""
        ...
