"""Where links are kept by which somebody comes in."""

from datetime import datetime
from typing import Protocol

from libs.kernel import ConversationId
from services.chat.domain.invite import Invite
from services.chat.ports.session import Session


class InviteRepository(Protocol):
    """Invites; an expired one may be forgotten at any time."""

    async def insert(self, invite: Invite, *, session: Session) -> None:
        """Store a new invite."""
        ...

    async def find(self, token_hash: bytes, *, session: Session) -> Invite | None:
        """Return the invite whose token has a hash, or None."""
        ...

    async def take_use(
        self, invite_id: str, now: datetime, *, session: Session
    ) -> bool:
        """Count one use, if the invite is still open; tell whether it was.

        Source: security.md PW-8: never more uses than there are.
        """
        ...

    async def remove(
        self, conversation_id: ConversationId, invite_id: str, *, session: Session
    ) -> bool:
        """Forget a conversation's invite; tell whether there was one."""
        ...

    async def page(
        self, conversation_id: ConversationId, now: datetime, *, after: str, limit: int
    ) -> list[Invite]:
        """Return invites that have not expired, in the order of their ids."""
        ...

    async def count(
        self, conversation_id: ConversationId, now: datetime, *, session: Session
    ) -> int:
        """Count a conversation's invites that have not expired."""
        ...
