"""Personal access tokens in memory, for tests."""
# ruff: noqa: ARG002 - the ports pass a database session, memory has none

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from libs.kernel import SessionId, UserId
from services.auth.domain import PersonalToken
from services.auth.ports import DatabaseSession


class MemoryPersonalTokenRepository:
    """Tokens in a dictionary."""

    def __init__(self) -> None:
        self._tokens: dict[str, PersonalToken] = {}

    async def add(self, token: PersonalToken, session: DatabaseSession) -> None:
        """Store a token."""
        self._tokens[token.token_id] = token

    async def get(
        self, token_id: SessionId, session: DatabaseSession
    ) -> PersonalToken | None:
        """Return a token, also one that has ended."""
        return self._tokens.get(token_id)

    async def find_by_hash(self, token_hash: str) -> PersonalToken | None:
        """Return the token whose text has this hash, also one that has ended."""
        found = (one for one in self._tokens.values() if one.token_hash == token_hash)
        return next(found, None)

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
        live = sorted(
            (
                one
                for one in self._tokens.values()
                if one.user_id == user_id and one.is_live(at)
            ),
            key=lambda one: one.token_id,
        )
        return [one for one in live if one.token_id > (after or "")][:limit]

    async def revoke(self, revoked: PersonalToken, session: DatabaseSession) -> bool:
        """Store the end of a token; False if it had ended before."""
        stored = self._tokens.get(revoked.token_id)
        if stored is None or stored.revoked_at is not None:
            return False
        self._tokens[revoked.token_id] = revoked
        return True

    async def touch(self, token_id: SessionId, at: datetime) -> None:
        """Remember a use."""
        stored = self._tokens.get(token_id)
        if stored is not None:
            self._tokens[token_id] = replace(stored, last_used_at=at)

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget all tokens of a user."""
        self._tokens = {
            token_id: one
            for token_id, one in self._tokens.items()
            if one.user_id != user_id
        }
