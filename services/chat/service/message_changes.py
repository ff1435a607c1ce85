"""What every change of a stored message has in common."""

from collections.abc import Awaitable, Callable

import msgspec

from libs.events import EventBus, Transaction
from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.conversation import Conversation, Member, visible_from
from services.chat.domain.errors import MessageNotFoundError, NotPermittedError
from services.chat.domain.message import Message, MessageKind
from services.chat.domain.permissions import Action, require
from services.chat.ports import (
    ConversationRepository,
    MessageRepository,
    MessageWriter,
    Session,
)
from services.chat.service.access import require_access, require_shown
from services.chat.service.recording import Act, Recorder
from services.chat.service.transactions import run_change


class Seen(msgspec.Struct, frozen=True):
    """A message that a member may see, as it is in a transaction."""

    conversation: Conversation
    member: Member
    message: Message

    @property
    def is_own(self) -> bool:
        """Whether the member said it; what a system message tells nobody said."""
        is_text = self.message.kind is MessageKind.TEXT
        return is_text and self.message.sender_id == self.member.user_id

    @property
    def next_revision(self) -> int:
        """The revision that a change of the message takes."""
        return self.conversation.revision + 1

    def require(self, action: Action) -> None:
        """Check that the member may do it here.

        Raises:
            AppError: See `services.chat.domain.permissions.require`.
        """
        require(self.conversation, self.member, action)

    def require_own_or(self, own: Action, anybodys: Action | None) -> None:
        """Check an action on an own message, or another one on anybody's.

        Raises:
            NotPermittedError: It is not the member's, and the role does not allow it.
        """
        action = own if self.is_own else anybodys
        if action is None:
            raise NotPermittedError(own)
        self.require(action)


Step = Callable[[Transaction, Seen], Awaitable[Message | None]]
"""Returns the changed message with `Seen.next_revision`; None: nothing changes."""


class MessageChanges:
    """Changes a message by compare-and-set, with a revision of its own.

    Args:
        bus: Opens transactions.
        conversations: Conversations and members.
        messages: Stored messages.
        writer: Told that the conversation moved.
        recorder: Keeps what is done to another's message.
    """

    def __init__(
        self,
        bus: EventBus,
        conversations: ConversationRepository,
        messages: MessageRepository,
        writer: MessageWriter,
        recorder: Recorder,
    ) -> None:
        self._bus = bus
        self._conversations = conversations
        self._messages = messages
        self._writer = writer
        self._recorder = recorder

    async def run(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        message_id: MessageId,
        step: Step,
    ) -> Message:
        """Load a message that the user may see, change and store it.

        Args:
            user_id: Who changes it.
            conversation_id: Where it is.
            message_id: Which one.
            step: May run several times.

        Returns:
            The message as it is stored now.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: Missing, or hidden from the user.
            ConversationBusyError: Others kept winning; nothing was stored.
            AppError: Whatever the step raises.
        """

        async def change(transaction: Transaction) -> tuple[Message, bool]:
            session = transaction.session
            seen = await self.see(user_id, conversation_id, message_id, session=session)
            changed = await step(transaction, seen)
            if changed is None:
                return seen.message, False
            after = msgspec.structs.replace(
                seen.conversation, revision=changed.revision
            )
            await self._conversations.replace(
                after, before=seen.conversation, session=session
            )
            await self._messages.replace(changed, session=session)
            return changed, True

        message, has_moved = await run_change(self._bus, change)
        if has_moved:
            self._writer.forget(conversation_id)
        return message

    async def record(
        self, transaction: Transaction | None, act: Act, seen: Seen
    ) -> None:
        """Record what a member does to another's message; to one's own is no matter.

        Raises:
            UnavailableError: It cannot be recorded: it must not happen.
        """
        if not seen.is_own:
            await self._recorder.record(
                transaction,
                act,
                seen.message.conversation_id,
                seen.member.user_id,
                target_id=seen.message.message_id,
                sender_id=seen.message.sender_id,
            )

    async def see(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        message_id: MessageId,
        *,
        session: Session = None,
    ) -> Seen:
        """Return a message that the user may see.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: Missing, or hidden from the user.
        """
        conversation, member = await require_access(
            self._conversations, user_id, conversation_id, session=session
        )
        message = await self._messages.get(conversation_id, message_id, session=session)
        if message is None or message.seq < visible_from(conversation, member):
            raise MessageNotFoundError
        if session is None:  # a transaction sees one moment
            await require_shown(self._conversations, conversation, member, [message])
        return Seen(conversation, member, message)
