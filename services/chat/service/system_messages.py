"""Messages by which the house tells what somebody did to a conversation."""

import msgspec

from libs.events import Transaction
from libs.events.catalog.message import MessageSent
from libs.kernel import Clock, EventId, MessageId, UserId, new_id
from services.chat.domain.conversation import Conversation, ConversationKind
from services.chat.domain.message import Message, MessageKind
from services.chat.domain.message_events import sent_event
from services.chat.domain.notice import Notice, NoticeType, encode_notice
from services.chat.ports import (
    ConversationRepository,
    MessageRepository,
    Session,
    TransportSealer,
)


class SystemMessages:
    """Appends system messages to groups and channels, in the change's transaction.

    Args:
        conversations: Where the counters are.
        messages: Where the message goes.
        sealer: Seals the content of the event.
        clock: Gives ``sent_at``.
    """

    def __init__(
        self,
        conversations: ConversationRepository,
        messages: MessageRepository,
        *,
        sealer: TransportSealer,
        clock: Clock,
    ) -> None:
        self._conversations = conversations
        self._messages = messages
        self._sealer = sealer
        self._clock = clock

    async def post(
        self,
        transaction: Transaction,
        conversation: Conversation,
        actor_id: UserId,
        notice: Notice,
    ) -> Conversation:
        """Append what an actor did, with a seq and the revision after the change's.

        Everybody has it unread, but the actor where nothing else was: their marker
        moves with it. A pair is told nothing.

        Args:
            transaction: The change's own.
            conversation: As the change has just stored it in this transaction.
            actor_id: Who did it; becomes the sender.
            notice: What was done.

        Returns:
            The conversation as it is stored now.

        Raises:
            StaleConversationError: The conversation has moved on.

        Emits: message.sent of kind system.
        """
        if conversation.kind is ConversationKind.DIRECT:
            return conversation
        message = self._message(conversation, actor_id, notice)
        after = msgspec.structs.replace(
            conversation,
            last_seq=message.seq,
            last_message_at=message.sent_at,
            revision=message.revision,
        )
        session = transaction.session
        await self._conversations.replace(after, before=conversation, session=session)
        await self._messages.insert(message, session=session)
        await self._move_marker(message, session)
        self._publish(transaction, message, notice)
        return after

    def _message(
        self, conversation: Conversation, actor_id: UserId, notice: Notice
    ) -> Message:
        return Message(
            message_id=MessageId(new_id()),
            conversation_id=conversation.conversation_id,
            client_message_id=new_id(),
            seq=conversation.last_seq + 1,
            revision=conversation.revision + 1,
            sender_id=actor_id,
            sent_at=self._clock.now(),
            text=None,
            kind=MessageKind.SYSTEM,
            notice=notice,
        )

    async def _move_marker(self, message: Message, session: Session) -> None:
        """Unlike a text, it does not say that what came before was read."""
        place = (message.conversation_id, message.sender_id)
        actor = await self._conversations.get_member(*place, session=session)
        if actor is not None and actor.read_seq == message.seq - 1:
            await self._conversations.advance_read(*place, message.seq, session=session)

    def _publish(
        self, transaction: Transaction, message: Message, notice: Notice
    ) -> None:
        event_id = EventId(new_id())
        context = (event_id, MessageSent.event_type, "content")
        content = self._sealer.seal(
            encode_notice(notice), *context, message.conversation_id
        )
        transaction.publish(sent_event(message, content), event_id=event_id)


def notices_of(before: Conversation, after: Conversation) -> list[Notice]:
    """Return what is to be told of a changed title or topic."""
    notices = []
    if after.title != before.title:
        notices.append(Notice(type=NoticeType.TITLE_CHANGED, title=after.title))
    if after.topic != before.topic:
        notices.append(Notice(type=NoticeType.TOPIC_CHANGED, title=after.topic))
    return notices
