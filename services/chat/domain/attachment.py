"""Documents that messages carry: chat's own copy of what ``media.*`` told of them."""

from enum import IntEnum

import msgspec

from libs.kernel import ConversationId, DocumentId, ProjectId, UserId


class AttachmentStatus(IntEnum):
    """Where a document is on its way; the higher one came later, in any order."""

    UPLOADED = 1
    READY = 2
    REJECTED = 3
    DELETED = 4


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A document as far as chat has to know it.

    Attributes:
        owner_id: Who uploaded it; None until an event told.
        conversation_id: Whose members may read it, if it is a conversation's.
        project_id: Whose collaborators may read it, if it is a project's.
        content_type: What media found it to be; None until its checks are through,
            and where they were through before chat kept it.
    """

    document_id: DocumentId
    status: AttachmentStatus
    owner_id: UserId | None = None
    conversation_id: ConversationId | None = None
    project_id: ProjectId | None = None
    content_type: str | None = None

    @property
    def is_image(self) -> bool:
        """Whether its checks are through and found a picture."""
        return (self.content_type or "").startswith("image/")

    @property
    def is_usable(self) -> bool:
        """Whether a message may carry it: its checks may still be under way."""
        is_well = self.status in (AttachmentStatus.UPLOADED, AttachmentStatus.READY)
        return is_well and self.owner_id is not None


def merged(known: Attachment | None, told: Attachment) -> Attachment:
    """Return what is known of a document once another event told of it.

    Whatever the order of the events, the outcome is the same.
    """
    if known is None:
        return told
    return Attachment(
        document_id=told.document_id,
        status=max(known.status, told.status),
        owner_id=known.owner_id or told.owner_id,
        conversation_id=known.conversation_id or told.conversation_id,
        project_id=known.project_id or told.project_id,
        content_type=known.content_type or told.content_type,
    )
