"""Who has read a message, where the conversation shows it."""

from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.conversation import Member, visible_from
from services.chat.domain.errors import MessageNotFoundError, ReceiptsAreOffError
from services.chat.ports import (
    ConversationRepository,
    MessageRepository,
    PersonalRepository,
)
from services.chat.service.access import require_access


class Receipts:
    """Tells who has read what: a read marker covers every message up to it.

    Args:
        conversations: Conversations and members.
        messages: What was read.
        personal: Where markers are kept.
    """

    def __init__(
        self,
        conversations: ConversationRepository,
        messages: MessageRepository,
        personal: PersonalRepository,
    ) -> None:
        self._conversations = conversations
        self._messages = messages
        self._personal = personal

    async def page(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        message_id: MessageId,
        *,
        after: str,
        limit: int,
    ) -> tuple[list[Member], str | None]:
        """Return the members who have read a message, by user id, and where to go on.

        Its sender is not among them.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            ReceiptsAreOffError: The conversation does not show who has read what.
            MessageNotFoundError: It holds no such message, or hides it from the user.
        """
        conversation, member = await require_access(
            self._conversations, user_id, conversation_id
        )
        if not conversation.has_receipts:
            raise ReceiptsAreOffError
        message = await self._messages.get(conversation_id, message_id)
        if message is None or message.seq < visible_from(conversation, member):
            raise MessageNotFoundError
        found = await self._personal.readers(
            conversation_id,
            message.seq,
            except_user=message.sender_id,
            after=after,
            limit=limit + 1,
        )
        shown = found[:limit]
        return shown, shown[-1].user_id if len(found) > limit else None
