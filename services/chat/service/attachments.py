"""Which documents a message may carry."""

from collections.abc import Sequence

from libs.events.catalog.media import (
    MediaDeleted,
    MediaProcessed,
    MediaRejected,
    MediaUploaded,
)
from libs.kernel import ConversationId, DocumentId, ProjectId, UserId
from services.chat.domain.attachment import Attachment, AttachmentStatus, merged
from services.chat.domain.conversation import general_id
from services.chat.domain.errors import (
    AttachmentUnknownError,
    DocumentNotAnImageError,
)
from services.chat.ports import AttachmentRepository, ConversationRepository, Session

MediaEvent = MediaUploaded | MediaProcessed | MediaRejected | MediaDeleted


class Attachments:
    """Keeps what media told of documents, and answers from it.

    Args:
        attachments: The projection of documents.
        conversations: Tells who may read where.
    """

    def __init__(
        self, attachments: AttachmentRepository, conversations: ConversationRepository
    ) -> None:
        self._attachments = attachments
        self._conversations = conversations

    async def apply(self, event: MediaEvent, *, session: Session) -> None:
        """Take in one fact; events may come in any order and more than once."""
        told = _told(event)
        known = await self._attachments.get_many([told.document_id], session=session)
        before = known.get(told.document_id)
        after = merged(before, told)
        if after != before:
            await self._attachments.put(after, session=session)

    async def require_readable(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        document_ids: Sequence[DocumentId],
    ) -> None:
        """Check that a member may attach documents: their own, or what they may read.

        Whether the readers of the message may open one is for media to say.

        Args:
            user_id: Who attaches; known to be a member of the conversation.
            conversation_id: To a message of which.
            document_ids: What.

        Raises:
            AttachmentUnknownError: One is not known (yet), deleted, rejected, or not
                for the user; it cannot be told which of it.
        """
        await self._readable(user_id, conversation_id, document_ids)

    async def require_image(
        self, user_id: UserId, conversation_id: ConversationId, document_id: DocumentId
    ) -> None:
        """Check that a document is a picture that a member may attach.

        Args:
            user_id: Who gives it.
            conversation_id: To which conversation.
            document_id: What.

        Raises:
            AttachmentUnknownError: See `require_readable`; or its checks are still
                under way.
            DocumentNotAnImageError: It is something else, or was checked before chat
                took note of what it is.
        """
        known = await self._readable(user_id, conversation_id, [document_id])
        picture = known[document_id]
        if picture.status is not AttachmentStatus.READY:
            raise AttachmentUnknownError([document_id])
        if not picture.is_image:
            raise DocumentNotAnImageError(document_id)

    async def _readable(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        document_ids: Sequence[DocumentId],
    ) -> dict[DocumentId, Attachment]:
        known = await self._attachments.get_many(document_ids)
        refused = []
        for document_id in document_ids:
            attachment = known.get(document_id)
            is_fine = attachment is not None and await self._may_read(
                user_id, conversation_id, attachment
            )
            if not is_fine:
                refused.append(document_id)
        if refused:
            raise AttachmentUnknownError(refused)
        return known

    async def _may_read(
        self, user_id: UserId, conversation_id: ConversationId, attachment: Attachment
    ) -> bool:
        if not attachment.is_usable:
            return False
        place = attachment.conversation_id
        if attachment.project_id is not None:
            place = general_id(attachment.project_id)  # all its collaborators are in it
        if user_id == attachment.owner_id or place == conversation_id:
            return True
        if place is None:
            return False
        return bool(await self._conversations.members_among(place, [user_id]))


def _told(event: MediaEvent) -> Attachment:
    document_id = DocumentId(event.document_id)
    match event:
        case MediaDeleted():
            status = AttachmentStatus.DELETED
            return Attachment(document_id=document_id, status=status)
        case MediaRejected():
            return Attachment(
                document_id=document_id,
                status=AttachmentStatus.REJECTED,
                owner_id=UserId(event.owner_id),
            )
    is_ready = isinstance(event, MediaProcessed)
    place, project = event.conversation_id, event.project_id
    return Attachment(
        document_id=document_id,
        status=AttachmentStatus.READY if is_ready else AttachmentStatus.UPLOADED,
        owner_id=UserId(event.owner_id),
        conversation_id=None if place is None else ConversationId(place),
        project_id=None if project is None else ProjectId(project),
        content_type=event.content_type if isinstance(event, MediaProcessed) else None,
    )
