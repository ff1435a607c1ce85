"""Sending, reading, editing and deleting messages."""

import msgspec

from libs.events import EventBus, Transaction
from libs.events.catalog.message import MessageEdited
from libs.kernel import Clock, ConversationId, EventId, MessageId, UserId, new_id
from services.chat.domain.conversation import Conversation, Member
from services.chat.domain.errors import (
    ConversationNotFoundError,
    MessageIsDeletedError,
    MessageNotFoundError,
    NotPermittedError,
)
from services.chat.domain.message import (
    Draft,
    Message,
    MessageChange,
    MessageKind,
    check_draft,
    check_mentions,
    check_text,
    encode_body,
    tombstone,
)
from services.chat.domain.message_events import deleted_event, edited_event
from services.chat.domain.permissions import Action, require
from services.chat.ports import (
    ConversationRepository,
    MessageRepository,
    MessageWriter,
    Page,
    Session,
    TransportSealer,
)
from services.chat.service.transactions import run_change


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What an edited message says now."""

    text: str
    mentions: tuple[UserId, ...] = ()


class Messages:
    """Use cases on messages.

    Args:
        bus: Opens transactions.
        conversations: Conversations and members.
        messages: Stored messages.
        writer: Appends new ones.
        sealer: Seals the content of events.
        clock: Gives the times.
    """

    def __init__(
        self,
        bus: EventBus,
        conversations: ConversationRepository,
        messages: MessageRepository,
        *,
        writer: MessageWriter,
        sealer: TransportSealer,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._conversations = conversations
        self._messages = messages
        self._writer = writer
        self._sealer = sealer
        self._clock = clock

    async def send(self, draft: Draft) -> Message:
        """Append a message and assign its sequence; idempotent on client_message_id.

        The sender's own read marker moves with it.

        Returns:
            The stored message; sequence is contiguous per conversation, from 1.

        Raises:
            DraftInvalidError: The draft can never be stored.
            TextTooLongError: It is too long.
            AppError: Whatever `MessageWriter.submit` tells.

        Emits: message.sent. Source: ADR 0009.
        """
        check_draft(draft)
        return await self._writer.submit(draft)

    async def page(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        *,
        before: int | None,
        after: int | None,
        limit: int,
    ) -> Page:
        """Return a page of history; see `MessageRepository.page`.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
        """
        _, member = await self._actor(user_id, conversation_id, Action.READ)
        return await self._messages.page(
            conversation_id,
            before=before,
            after=after,
            limit=limit,
            visible_from_seq=member.visible_from_seq,
        )

    async def edit(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        message_id: MessageId,
        edit: Edit,
    ) -> Message:
        """Change an own message.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: The conversation holds no such message.
            NotPermittedError: It is somebody else's.
            MessageIsDeletedError: It is a tombstone.
            DraftInvalidError: The new text can never be stored.

        Emits: message.edited.
        """
        check_mentions(edit.mentions)

        async def change(transaction: Transaction) -> Message:
            conversation, message = await self._own_or_any(
                user_id,
                conversation_id,
                message_id,
                (Action.EDIT_OWN, None),
                transaction,
            )
            if message.is_deleted:
                raise MessageIsDeletedError
            check_text(edit.text, is_empty_allowed=bool(message.attachments))
            edited = msgspec.structs.replace(
                message,
                text=edit.text,
                mentions=edit.mentions,
                edited_at=self._clock.now(),
                last_change=MessageChange.EDITED,
                revision=conversation.revision + 1,
            )
            await self._store(conversation, edited, transaction.session)
            self._publish_edited(transaction, edited)
            return edited

        edited = await run_change(self._bus, change)
        self._writer.forget(conversation_id)
        return edited

    async def delete(
        self, user_id: UserId, conversation_id: ConversationId, message_id: MessageId
    ) -> None:
        """Turn a message into a tombstone; one that is, stays.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: The conversation holds no such message.
            NotPermittedError: It is somebody else's and the role does not allow it.

        Emits: message.deleted.
        """

        async def change(transaction: Transaction) -> None:
            conversation, message = await self._own_or_any(
                user_id,
                conversation_id,
                message_id,
                (Action.DELETE_OWN, Action.DELETE_ANY),
                transaction,
            )
            if message.is_deleted:
                return
            gone = tombstone(message, conversation.revision + 1)
            await self._store(conversation, gone, transaction.session)
            transaction.publish(deleted_event(gone, user_id))

        await run_change(self._bus, change)
        self._writer.forget(conversation_id)

    async def _actor(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        action: Action,
        session: Session = None,
    ) -> tuple[Conversation, Member]:
        conversation = await self._conversations.get(conversation_id, session=session)
        if conversation is None:
            raise ConversationNotFoundError
        member = await self._conversations.get_member(
            conversation_id, user_id, session=session
        )
        require(conversation, member, action)
        if member is None:  # `require` has refused already; this tells the type
            raise ConversationNotFoundError
        return conversation, member

    async def _own_or_any(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        message_id: MessageId,
        actions: tuple[Action, Action | None],
        transaction: Transaction,
    ) -> tuple[Conversation, Message]:
        """Load a message that the user may act on: an own one, or any one."""
        session = transaction.session
        own, anybodys = actions
        conversation, member = await self._actor(
            user_id, conversation_id, Action.READ, session
        )
        message = await self._messages.get(conversation_id, message_id, session=session)
        if message is None or message.seq < member.visible_from_seq:
            raise MessageNotFoundError
        is_own = message.sender_id == user_id and message.kind is MessageKind.TEXT
        action = own if is_own else anybodys
        if action is None:
            raise NotPermittedError(own)
        require(conversation, member, action)
        return conversation, message

    async def _store(
        self, conversation: Conversation, message: Message, session: Session
    ) -> None:
        after = msgspec.structs.replace(conversation, revision=message.revision)
        await self._conversations.replace(after, before=conversation, session=session)
        await self._messages.replace(message, session=session)

    def _publish_edited(self, transaction: Transaction, message: Message) -> None:
        event_id = EventId(new_id())
        context = (event_id, MessageEdited.event_type, "content")
        content = self._sealer.seal(
            encode_body(message.text or ""), *context, message.conversation_id
        )
        transaction.publish(edited_event(message, content), event_id=event_id)
