"""Reacting to messages."""

from collections.abc import Sequence

import msgspec

from libs.events import Transaction
from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.errors import MessageIsDeletedError
from services.chat.domain.message import Message, MessageChange
from services.chat.domain.message_events import reacted_event
from services.chat.domain.permissions import Action
from services.chat.domain.reactions import (
    checked_emoji,
    reaction_of,
    with_reaction,
    without_reaction,
)
from services.chat.service.message_changes import MessageChanges, Seen


class Reactions:
    """Use cases on reactions.

    Args:
        changes: Changes stored messages.
    """

    def __init__(self, changes: MessageChanges) -> None:
        self._changes = changes

    async def react(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        message_id: MessageId,
        emoji: str,
        *,
        is_added: bool,
    ) -> Message:
        """Add a reaction or take it back; what is so already changes nothing.

        Returns:
            The message as it is now.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: Missing, or hidden from the user.
            NotPermittedError: The role does not allow it.
            MessageIsDeletedError: It is a tombstone.
            DraftInvalidError: ``emoji_invalid`` or ``too_many_reactions``.

        Emits: message.reacted.
        """
        composed = checked_emoji(emoji)

        async def step(transaction: Transaction, seen: Seen) -> Message | None:
            seen.require(Action.REACT)
            if seen.message.is_deleted:
                raise MessageIsDeletedError
            changed = with_reaction if is_added else without_reaction
            reactions = changed(seen.message.reactions, user_id, composed)
            if reactions == seen.message.reactions:
                return None
            message = msgspec.structs.replace(
                seen.message,
                reactions=reactions,
                last_change=MessageChange.REACTED,
                revision=seen.next_revision,
            )
            event = reacted_event(message, user_id, composed, is_added=is_added)
            transaction.publish(event)
            return message

        return await self._changes.run(user_id, conversation_id, message_id, step)

    async def users(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        message_id: MessageId,
        emoji: str,
        *,
        after: UserId | None,
        limit: int,
    ) -> tuple[Sequence[UserId], UserId | None]:
        """Return who reacts with an emoji, in the order of their reactions.

        Args:
            user_id: Who asks.
            conversation_id: Where.
            message_id: To what.
            emoji: With what.
            after: The last of the page before; one that reacts no more begins anew.
            limit: At least 1.

        Returns:
            The users, and the one to go on after; None: there are no more.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: Missing, or hidden from the user.
            DraftInvalidError: ``emoji_invalid``.
        """
        composed = checked_emoji(emoji)
        seen = await self._changes.see(user_id, conversation_id, message_id)
        everybody = reaction_of(seen.message.reactions, composed).user_ids
        start = everybody.index(after) + 1 if after in everybody else 0
        shown = everybody[start : start + limit]
        has_more = len(everybody) > start + limit
        return shown, shown[-1] if has_more else None
