"""Old messages in memory."""

from datetime import datetime

from libs.kernel import ConversationId
from services.chat.repository.memory.conversations import MemoryConversations


class MemoryRetentionStore:
    """`RetentionStore` over the same dictionaries."""

    def __init__(self, store: MemoryConversations) -> None:
        self._store = store

    async def conversations(
        self, *, is_all: bool, after: str, limit: int
    ) -> list[ConversationId]:
        """Return conversations that have a retention, in the order of their ids."""
        found = [
            conversation.conversation_id
            for conversation in self._store.conversations.values()
            if conversation.conversation_id > after
            and (is_all or conversation.retention_days)
        ]
        return sorted(found)[:limit]

    async def first_kept(
        self,
        conversation_id: ConversationId,
        *,
        first_seq: int,
        last_seq: int,
        sent_from: datetime,
    ) -> int:
        """Return the seq of the first message sent at a time or later."""
        kept = [
            message.seq
            for message in self._store.messages.values()
            if message.conversation_id == conversation_id
            and message.seq >= first_seq
            and message.sent_at >= sent_from
        ]
        return min(kept, default=last_seq + 1)

    async def delete_below(
        self, conversation_id: ConversationId, seq: int, *, limit: int
    ) -> int:
        """Delete up to `limit` messages below a seq; return how many they were."""
        below = [
            message.message_id
            for message in self._store.messages.values()
            if message.conversation_id == conversation_id and message.seq < seq
        ][:limit]
        for message_id in below:
            del self._store.messages[message_id]
        return len(below)
