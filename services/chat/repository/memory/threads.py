"""Follows of threads in memory."""

from collections.abc import Mapping, Sequence

from libs.kernel import ConversationId, UserId
from services.chat.domain.thread import Follow
from services.chat.ports import Session
from services.chat.repository.memory.conversations import MemoryConversations


class MemoryThreads:
    """`ThreadRepository` over the dictionaries that the writer appends to."""

    def __init__(self, store: MemoryConversations) -> None:
        self._store = store

    async def of_user(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        thread_seqs: Sequence[int],
        *,
        session: Session = None,
    ) -> dict[int, Follow]:
        """Return what a user has to do with some threads."""
        del session
        known = self._store.follows
        keys = {seq: (conversation_id, seq, user_id) for seq in thread_seqs}
        return {seq: known[key] for seq, key in keys.items() if key in known}

    async def put(self, follow: Follow, *, session: Session) -> Follow:
        """Store what a user has to do with a thread; return it with its revision."""
        del session
        return self._store.put_follow(follow)

    async def unread(
        self, conversation_id: ConversationId, read: Mapping[int, int]
    ) -> dict[int, int]:
        """Count the messages of threads above a seq each."""
        here = [
            message
            for message in self._store.messages.values()
            if message.conversation_id == conversation_id
        ]
        return {
            thread_seq: sum(
                message.thread_seq == thread_seq and message.seq > seq
                for message in here
            )
            for thread_seq, seq in read.items()
        }
