"""Forwarding messages: a copy, sealed anew, that names its origin."""

from libs.kernel import AppError, ConversationId, MessageId, UserId
from services.chat.domain.errors import DraftInvalidError, MessageIsDeletedError
from services.chat.domain.message import Draft, Message, MessageKind, Origin
from services.chat.service.message_changes import MessageChanges
from services.chat.service.messages import Messages


class Forwarding:
    """Use cases on forwarded messages.

    Args:
        changes: Shows the message that is forwarded.
        messages: Sends the copy.
    """

    def __init__(self, changes: MessageChanges, messages: Messages) -> None:
        self._changes = changes
        self._messages = messages

    async def forward(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        source: tuple[ConversationId, MessageId],
        *,
        client_message_id: str,
        thread_seq: int | None = None,
    ) -> Message:
        """Send a copy of a message that the user may read; idempotent like a message.

        Nobody who is mentioned is mentioned again. A copy of a copy names the first
        origin. Readers of the copy see the ids of the origin: who is not in that
        conversation finds it missing, and media decides who may open a document.

        Args:
            user_id: Who forwards.
            conversation_id: Where the copy goes.
            source: Conversation and message that is forwarded.
            client_message_id: Names the copy for ever.
            thread_seq: The copy answers in this thread.

        Raises:
            ConversationNotFoundError: Either is missing, or the user is no member.
            MessageNotFoundError: Missing, or hidden from the user.
            MessageIsDeletedError: There is nothing to forward.
            DraftInvalidError: ``forward_invalid``: nobody said it.
            AppError: See `Messages.send`.

        Emits: message.sent.
        """
        try:
            message, text = await self._source(user_id, source)
        except AppError:
            key = (user_id, conversation_id, client_message_id)
            stored = await self._messages.sent(*key)
            if stored is None:
                raise
            return stored
        draft = Draft(
            conversation_id=conversation_id,
            sender_id=user_id,
            client_message_id=client_message_id,
            text=text,
            attachments=message.attachments,
            thread_seq=thread_seq,
            forwarded_from=message.forwarded_from or _origin(message),
        )
        return await self._messages.send(draft)

    async def _source(
        self, user_id: UserId, source: tuple[ConversationId, MessageId]
    ) -> tuple[Message, str]:
        """Return what is forwarded, and its text."""
        message = (await self._changes.see(user_id, *source)).message
        if message.kind is MessageKind.SYSTEM:
            raise DraftInvalidError("forward_invalid", "That cannot be forwarded.")
        if message.is_deleted or message.text is None:
            raise MessageIsDeletedError
        return message, message.text


def _origin(message: Message) -> Origin:
    return Origin(
        conversation_id=message.conversation_id,
        message_id=message.message_id,
        sender_id=message.sender_id,
        sent_at=message.sent_at,
    )
