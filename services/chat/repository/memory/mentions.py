"""Unread mentions, counted in memory."""

from collections import Counter
from collections.abc import Mapping

from libs.kernel import ConversationId, UserId
from services.chat.domain.message import MentionKind
from services.chat.repository.memory.conversations import MemoryConversations


class MemoryMentions:
    """`MentionCounter` over the same dictionaries."""

    def __init__(self, store: MemoryConversations) -> None:
        self._store = store

    async def unread_mentions(
        self, user_id: UserId, read: Mapping[ConversationId, int]
    ) -> dict[ConversationId, int]:
        """Count the messages above a seq that mention a user, or every member."""
        return dict(
            Counter(
                message.conversation_id
                for message in self._store.messages.values()
                if message.seq > read.get(message.conversation_id, 2**53)
                and message.sender_id != user_id
                and (
                    user_id in message.mentions
                    or MentionKind.ALL in message.mention_kinds
                )
            )
        )
