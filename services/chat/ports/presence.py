"""Where it is kept what users show of themselves, and who their contacts are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from libs.kernel import ConversationId, UserId
from services.chat.domain.presence import CustomStatus, LastSeen, PresenceCard
from services.chat.ports.session import Session


class PresenceCardRepository(Protocol):
    """What users have chosen to show, opened."""

    async def get_many(self, user_ids: Sequence[UserId]) -> dict[UserId, PresenceCard]:
        """Return the cards of those who have one, in one query."""
        ...

    async def put_last_seen(self, user_id: UserId, last_seen: LastSeen) -> None:
        """Store who may learn when the user was last seen."""
        ...

    async def put_status(
        self, user_id: UserId, status: CustomStatus, *, session: Session
    ) -> None:
        """Store a status in place of an earlier one."""
        ...

    async def clear_status(self, user_id: UserId, *, session: Session) -> bool:
        """Take a status away; tell whether there was one."""
        ...

    async def due(self, now: datetime, *, limit: int) -> list[UserId]:
        """Return whose status has expired and is not taken away yet."""
        ...

    async def expire_status(
        self, user_id: UserId, now: datetime, *, session: Session
    ) -> bool:
        """Take away a status that has expired; tell whether there was one."""
        ...


class ContactRepository(Protocol):
    """Who shares conversations with whom; contacts are those who share one."""

    async def places_among(
        self,
        user_ids: Sequence[UserId],
        conversation_ids: Sequence[ConversationId],
    ) -> dict[UserId, list[ConversationId]]:
        """Return which of some conversations each user is in, in one query."""
        ...

    async def contacts_among(
        self, user_id: UserId, user_ids: Sequence[UserId]
    ) -> set[UserId]:
        """Return those of the users that share a conversation with a user."""
        ...
