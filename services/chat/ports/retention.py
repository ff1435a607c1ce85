"""Where messages are found that are too old, and deleted."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Protocol, TypeVar

from libs.kernel import ConversationId

T = TypeVar("T")


class RetentionStore(Protocol):
    """Old messages, by conversation."""

    async def conversations(
        self, *, is_all: bool, after: str, limit: int
    ) -> list[ConversationId]:
        """Return conversations that have a retention, in the order of their ids.

        Args:
            is_all: Every one, since the installation has a retention.
            after: Exclusive lower bound of the ids.
            limit: At least 1.
        """
        ...

    async def first_kept(
        self,
        conversation_id: ConversationId,
        *,
        first_seq: int,
        last_seq: int,
        sent_from: datetime,
    ) -> int:
        """Return the seq of the first message sent at a time or later.

        Looked for from `first_seq` on; one above `last_seq` where all are older.
        """
        ...

    async def forget_below(
        self, conversation_id: ConversationId, seq: int, *, limit: int
    ) -> int:
        """Forget up to `limit` messages below a seq; return how many they were.

        Each is gone, with its versions, and in the same step a stub is there instead:
        `find_sent` finds it, nothing else does. What the house told leaves none, nor
        does a sender whose account is deleted.
        """
        ...


class Lease(Protocol):
    """Something that one process does at a time."""

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Work while holding it.

        Raises:
            ConflictError: ``lease_held``: another process has it; ``lease_lost``:
                it was lost, and the work cut.
        """
        ...
