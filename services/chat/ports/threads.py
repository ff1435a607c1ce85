"""Where it is kept who follows which thread, and how far they read."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from libs.kernel import ConversationId, UserId
from services.chat.domain.thread import Follow
from services.chat.ports.session import Session


class ThreadRepository(Protocol):
    """Follows of threads."""

    async def of_user(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        thread_seqs: Sequence[int],
        *,
        session: Session = None,
    ) -> dict[int, Follow]:
        """Return what a user has to do with some threads, where there is anything."""
        ...

    async def put(self, follow: Follow, *, session: Session) -> Follow:
        """Store what a user has to do with a thread; return it with its revision."""
        ...

    async def unread(
        self, conversation_id: ConversationId, read: Mapping[int, int]
    ) -> dict[int, int]:
        """Count the messages of threads above a seq each, tombstones too.

        Args:
            conversation_id: Whose threads.
            read: The seq up to which each thread is read.
        """
        ...
