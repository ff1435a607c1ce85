"""Which documents may be a conversation's picture."""

from msgspec import UNSET

from libs.kernel import ConversationId, UserId
from services.chat.domain.amendment import Amendment
from services.chat.service.attachments import Attachments


class Avatars:
    """Checks pictures before they are given to a conversation.

    Args:
        attachments: Knows what media told of documents.
    """

    def __init__(self, attachments: Attachments) -> None:
        self._attachments = attachments

    async def require_usable(
        self, user_id: UserId, conversation_id: ConversationId, amendment: Amendment
    ) -> None:
        """Check that the document of an amendment, if any, is a picture to give.

        Args:
            user_id: Who gives it.
            conversation_id: To which conversation, which may still be to come.
            amendment: What is asked for.

        Raises:
            AttachmentUnknownError: It is not known (yet), not checked yet, deleted,
                rejected, or not for the user; it cannot be told which of it.
            DocumentNotAnImageError: It is no picture.
        """
        document_id = amendment.avatar_document_id
        if document_id is UNSET or document_id is None:
            return
        await self._attachments.require_image(user_id, conversation_id, document_id)
