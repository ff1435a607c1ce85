"""Where work is kept that goes on after its commit."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from libs.events import Transaction
from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.job import Job, JobKind, Step
from services.chat.ports.session import Session


class JobStore(Protocol):
    """Jobs that are not done; each is worked on by one process at a time."""

    async def add(self, job: Job, *, session: Session) -> None:
        """Store a job; one that is there goes on as it is."""
        ...

    async def claim(self, now: datetime, lease: timedelta) -> Job | None:
        """Take the job that waits longest and nobody works on, or None.

        Args:
            now: UTC.
            lease: After it another process takes the job over, unless it is saved.
        """
        ...

    async def save(self, job: Job, now: datetime, lease: timedelta) -> None:
        """Store how far a job is, and keep it."""
        ...

    async def finish(self, job: Job, *, session: Session) -> bool:
        """Forget a job that is done; tell whether it was there."""
        ...


class Work(Protocol):
    """One kind of job."""

    @property
    def kind(self) -> JobKind:
        """Which."""
        ...

    async def step(self, job: Job) -> Step:
        """Do a part of it; a part that was done already is done again harmlessly."""
        ...

    def conclude(self, transaction: Transaction, job: Job) -> None:
        """Tell that it is done, in the commit that forgets it."""
        ...


class EraserStore(Protocol):
    """Deletes what nobody may read any more."""

    async def purge_conversation(
        self, conversation_id: ConversationId, *, limit: int
    ) -> int:
        """Delete documents of a conversation, up to a limit of each kind.

        Its tombstone and those of its members stay.

        Returns:
            How many; 0 where none is left.
        """
        ...

    async def place_after(self, user_id: UserId, after: str) -> ConversationId | None:
        """Return the next conversation, by id, that a user ever was in, or None."""
        ...

    async def sent_by(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        *,
        limit: int,
        session: Session,
    ) -> list[MessageId]:
        """Return messages of a user that are no tombstones, in no order.

        What the house told of the user is none of theirs.
        """
        ...

    async def forget_versions(
        self, message_ids: Sequence[MessageId], *, session: Session
    ) -> None:
        """Delete what messages said before they were edited."""
        ...

    async def purge_stubs(
        self, user_id: UserId, conversation_id: ConversationId, *, limit: int
    ) -> int:
        """Delete what retention left of a user's messages in a conversation.

        Returns:
            How many; 0 where none is left.
        """
        ...

    async def purge_user(self, user_id: UserId, *, limit: int) -> int:
        """Delete what is a user's own, up to a limit of each kind.

        Returns:
            How many; 0 where none is left.
        """
        ...
