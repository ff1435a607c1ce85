"""Pinning messages to their conversation."""

from collections.abc import Sequence

import msgspec

from libs.events import Transaction
from libs.events.catalog.message import MessagePinned, MessageUnpinned
from libs.kernel import Clock, ConversationId, MessageId, UserId
from services.chat.domain.conversation import visible_from
from services.chat.domain.errors import (
    DraftInvalidError,
    MessageIsDeletedError,
    TooManyPinsError,
)
from services.chat.domain.limits import Limits
from services.chat.domain.message import Message, MessageChange, MessageKind, Pin
from services.chat.domain.permissions import Action
from services.chat.ports import ConversationRepository, MessageRepository, PinnedAt
from services.chat.service.access import require_access, require_shown
from services.chat.service.message_changes import MessageChanges, Seen


class Pins:
    """Use cases on pinned messages.

    Args:
        changes: Changes stored messages.
        conversations: Conversations and members.
        messages: Stored messages.
        clock: Gives the times.
        limits: See `Limits`.
    """

    def __init__(
        self,
        changes: MessageChanges,
        conversations: ConversationRepository,
        messages: MessageRepository,
        *,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._changes = changes
        self._conversations = conversations
        self._messages = messages
        self._clock = clock
        self._limits = limits

    async def page(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        *,
        before: PinnedAt | None,
        limit: int,
    ) -> tuple[Sequence[Message], PinnedAt | None]:
        """Return the pinned messages, the last pinned first, and where to go on.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
        """
        conversation, member = await require_access(
            self._conversations, user_id, conversation_id
        )
        found = await self._messages.pinned(
            conversation_id,
            before=before,
            limit=limit + 1,
            visible_from_seq=visible_from(conversation, member),
        )
        shown = found[:limit]
        await require_shown(self._conversations, conversation, member, shown)
        last = shown[-1] if len(found) > limit else None
        if last is None or last.pin is None:
            return shown, None
        return shown, PinnedAt(last.pin.pinned_at, last.message_id)

    async def pin(
        self, user_id: UserId, conversation_id: ConversationId, message_id: MessageId
    ) -> Message:
        """Pin a message; one that is pinned stays as it is.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: Missing, or hidden from the user.
            NotPermittedError: The role does not allow it.
            MessageIsDeletedError: It is a tombstone.
            DraftInvalidError: ``pin_invalid``: nobody said it.
            TooManyPinsError: The conversation has as many as it may.

        Emits: message.pinned.
        """

        async def step(transaction: Transaction, seen: Seen) -> Message | None:
            seen.require(Action.PIN)
            if seen.message.is_deleted:
                raise MessageIsDeletedError
            if seen.message.kind is MessageKind.SYSTEM:
                raise DraftInvalidError("pin_invalid", "A notice cannot be pinned.")
            if seen.message.pin is not None:
                return None
            count = await self._messages.count_pinned(
                conversation_id, session=transaction.session
            )
            if count >= self._limits.pins:
                raise TooManyPinsError(self._limits.pins)
            pin = Pin(user_id, self._clock.now())
            message = _with_pin(seen, pin, MessageChange.PINNED)
            transaction.publish(
                MessagePinned(
                    conversation_id=conversation_id,
                    message_id=message_id,
                    seq=message.seq,
                    revision=message.revision,
                    pinned_by=user_id,
                    pinned_at=pin.pinned_at,
                )
            )
            return message

        return await self._changes.run(user_id, conversation_id, message_id, step)

    async def unpin(
        self, user_id: UserId, conversation_id: ConversationId, message_id: MessageId
    ) -> Message:
        """Take a pinned message off; one that is not pinned stays as it is.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: Missing, or hidden from the user.
            NotPermittedError: The role does not allow it.

        Emits: message.unpinned.
        """

        async def step(transaction: Transaction, seen: Seen) -> Message | None:
            seen.require(Action.PIN)
            if seen.message.pin is None:
                return None
            message = _with_pin(seen, None, MessageChange.UNPINNED)
            transaction.publish(
                MessageUnpinned(
                    conversation_id=conversation_id,
                    message_id=message_id,
                    seq=message.seq,
                    revision=message.revision,
                    unpinned_by=user_id,
                )
            )
            return message

        return await self._changes.run(user_id, conversation_id, message_id, step)


def _with_pin(seen: Seen, pin: Pin | None, change: MessageChange) -> Message:
    return msgspec.structs.replace(
        seen.message, pin=pin, last_change=change, revision=seen.next_revision
    )
