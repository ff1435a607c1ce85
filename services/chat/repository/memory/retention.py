"""Old messages in memory."""

from datetime import datetime

from libs.kernel import ConversationId
from services.chat.domain.stub import leaves_stub, stub_of
from services.chat.repository.memory.conversations import (
    MemoryConversations,
    sent_key,
)
from services.chat.repository.memory.users import MemoryUsers


class MemoryRetentionStore:
    """`RetentionStore` over the same dictionaries."""

    def __init__(self, store: MemoryConversations, users: MemoryUsers) -> None:
        self._store = store
        self._users = users

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

    async def forget_below(
        self, conversation_id: ConversationId, seq: int, *, limit: int
    ) -> int:
        """Make up to `limit` messages below a seq stubs, or delete them."""
        below = [
            message
            for message in self._store.messages.values()
            if message.conversation_id == conversation_id and message.seq < seq
        ][:limit]
        for message in below:
            del self._store.messages[message.message_id]
            sender = await self._users.get(message.sender_id)
            if leaves_stub(message) and not (sender and sender.is_deleted):
                self._store.stubs[sent_key(message)] = stub_of(message)
        return len(below)
