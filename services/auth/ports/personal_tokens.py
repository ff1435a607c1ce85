"""Store of personal access tokens."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from libs.kernel import SessionId, UserId
from services.auth.domain import PersonalToken
from services.auth.ports.database import DatabaseSession


class PersonalTokenRepository(Protocol):
    """Personal access tokens, by id and by hash."""

    async def add(self, token: PersonalToken, session: DatabaseSession) -> None:
        """Store a token."""
        ...

    async def get(
        self, token_id: SessionId, session: DatabaseSession
    ) -> PersonalToken | None:
        """Return a token, also one that has ended."""
        ...

    async def find_by_hash(self, token_hash: str) -> PersonalToken | None:
        """Return the token whose text has this hash, also one that has ended."""
        ...

    async def list_live(
        self,
        user_id: UserId,
        *,
        at: datetime,
        after: str | None,
        limit: int,
        session: DatabaseSession = None,
    ) -> Sequence[PersonalToken]:
        """Return a user's live tokens in the order of their ids."""
        ...

    async def revoke(self, revoked: PersonalToken, session: DatabaseSession) -> bool:
        """Store the end of a token; False if it had ended before."""
        ...

    async def touch(self, token_id: SessionId, at: datetime) -> None:
        """Remember a use."""
        ...

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget all tokens of a user: erasure."""
        ...
