"""The projection of documents in memory."""

from collections.abc import Sequence

from libs.kernel import DocumentId
from services.chat.domain.attachment import Attachment
from services.chat.ports import Session


class MemoryAttachments:
    """`AttachmentRepository` in a dictionary."""

    def __init__(self) -> None:
        self.attachments: dict[DocumentId, Attachment] = {}

    async def get_many(
        self, document_ids: Sequence[DocumentId], *, session: Session = None
    ) -> dict[DocumentId, Attachment]:
        """Return those that are known."""
        del session
        known = self.attachments
        return {one: known[one] for one in document_ids if one in known}

    async def put(self, attachment: Attachment, *, session: Session) -> None:
        """Store a document, new or changed."""
        del session
        self.attachments[attachment.document_id] = attachment
