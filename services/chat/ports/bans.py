"""Where it is kept who may not come into a conversation."""

from collections.abc import Sequence
from typing import Protocol

from libs.kernel import ConversationId, UserId
from services.chat.domain.ban import Ban
from services.chat.ports.session import Session


class BanRepository(Protocol):
    """Bans; at most one a user and conversation."""

    async def get(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        *,
        session: Session = None,
    ) -> Ban | None:
        """Return a user's ban, or None."""
        ...

    async def put(self, ban: Ban, *, session: Session) -> None:
        """Store a ban; one that is there stays as it is."""
        ...

    async def remove(
        self, conversation_id: ConversationId, user_id: UserId, *, session: Session
    ) -> bool:
        """Lift a ban; tell whether there was one."""
        ...

    async def page(
        self, conversation_id: ConversationId, *, after: str, limit: int
    ) -> list[Ban]:
        """Return a conversation's bans in the order of their user ids."""
        ...

    async def count(
        self, conversation_id: ConversationId, *, session: Session = None
    ) -> int:
        """Count a conversation's bans."""
        ...

    async def banned_from(
        self, user_id: UserId, conversation_ids: Sequence[ConversationId]
    ) -> set[ConversationId]:
        """Return those of the conversations that the user is banned from."""
        ...
