"""Stores of sign-ins, and the fast way of telling that one is over."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from libs.kernel import SessionId, UserId
from services.auth.domain import Session
from services.auth.ports.database import DatabaseSession


class SessionRepository(Protocol):
    """Sign-ins with the hashes of their refresh tokens."""

    async def add(self, auth_session: Session, session: DatabaseSession) -> None:
        """Store a new session."""
        ...

    async def get(
        self, session_id: SessionId, session: DatabaseSession
    ) -> Session | None:
        """Return a session, also one that has ended."""
        ...

    async def rotate(self, rotated: Session, session: DatabaseSession) -> bool:
        """Store a rotation if the spent token was still the current one.

        Returns:
            False if a parallel refresh was first, or the session has ended.
        """
        ...

    async def revoke(self, revoked: Session, session: DatabaseSession) -> bool:
        """Store the end of a session; False if it had ended before."""
        ...

    async def list_live(
        self, user_id: UserId, *, at: datetime, after: str | None, limit: int
    ) -> Sequence[Session]:
        """Return a user's live sessions in the order of their ids."""
        ...

    async def oldest_live(
        self, user_id: UserId, *, at: datetime, keep: int, session: DatabaseSession
    ) -> Sequence[Session]:
        """Return the live sessions beyond the newest `keep`, oldest last."""
        ...

    async def addresses_of(
        self, user_id: UserId, device_name: str, session: DatabaseSession
    ) -> Sequence[str]:
        """Return where a user's device of this name was, of all sessions still kept."""
        ...

    async def list_of_provider(
        self, provider_id: str, session_hash: str, session: DatabaseSession
    ) -> Sequence[Session]:
        """Return the sessions, not revoked, of one session at a provider."""
        ...

    async def revoked_since(
        self, since: datetime, *, after: str | None, limit: int
    ) -> Sequence[Session]:
        """Return sessions revoked at or after a time, by (revoked_at, id).

        Args:
            since: Inclusive.
            after: With it: only sessions behind (since, after).
            limit: At most this many.
        """
        ...

    async def forget(
        self, user_id: UserId, *, ended_before: datetime, session: DatabaseSession
    ) -> None:
        """Erase a user's sessions, all of which have ended.

        Those that ended later stay without device, address and provider until nobody
        asks for them any more: their ids are how others learn that they ended.
        """
        ...


class RevocationAnnouncer(Protocol):
    """The fast way of telling that a session is over; the event is the sure one."""

    async def announce(self, sessions: Sequence[Session]) -> None:
        """Tell every listener now; failing is logged, never raised."""
        ...
