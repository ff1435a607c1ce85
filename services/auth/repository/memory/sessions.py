"""Sessions in memory, for tests."""
# ruff: noqa: ARG002 - the ports pass a database session, memory has none

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from libs.kernel import SessionId, UserId
from services.auth.domain import Session
from services.auth.ports import DatabaseSession


class MemorySessionRepository:
    """Sessions in a dictionary."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    async def add(self, auth_session: Session, session: DatabaseSession) -> None:
        """Store a new session."""
        self._sessions[auth_session.session_id] = auth_session

    async def get(
        self, session_id: SessionId, session: DatabaseSession
    ) -> Session | None:
        """Return a session, also one that has ended."""
        return self._sessions.get(session_id)

    async def rotate(self, rotated: Session, session: DatabaseSession) -> bool:
        """Store a rotation if the spent token was still the current one."""
        stored = self._sessions.get(rotated.session_id)
        if stored is None or stored.revoked_at is not None:
            return False
        if stored.token_hash != rotated.parent_hash:
            return False
        self._sessions[rotated.session_id] = rotated
        return True

    async def revoke(self, revoked: Session, session: DatabaseSession) -> bool:
        """Store the end of a session; False if it had ended before."""
        stored = self._sessions.get(revoked.session_id)
        if stored is None or stored.revoked_at is not None:
            return False
        self._sessions[revoked.session_id] = revoked
        return True

    async def list_live(
        self, user_id: UserId, *, at: datetime, after: str | None, limit: int
    ) -> Sequence[Session]:
        """Return a user's live sessions in the order of their ids."""
        live = self._live(user_id, at)
        return [own for own in live if own.session_id > (after or "")][:limit]

    async def oldest_live(
        self, user_id: UserId, *, at: datetime, keep: int, session: DatabaseSession
    ) -> Sequence[Session]:
        """Return the live sessions beyond the newest `keep`, oldest last."""
        return list(reversed(self._live(user_id, at)))[keep:]

    async def addresses_of(
        self, user_id: UserId, device_name: str, session: DatabaseSession
    ) -> Sequence[str]:
        """Return where a device was; see `SessionRepository.addresses_of`."""
        return [
            own.client_address
            for own in self._sessions.values()
            if own.user_id == user_id and own.device_name == device_name
        ]

    async def list_of_provider(
        self, provider_id: str, session_hash: str, session: DatabaseSession
    ) -> Sequence[Session]:
        """Return the sessions, not revoked, of one session at a provider."""
        return [
            own
            for own in self._sessions.values()
            if own.revoked_at is None
            and own.provider_id == provider_id
            and own.provider_session_hash == session_hash
        ]

    async def revoked_since(
        self, since: datetime, *, after: str | None, limit: int
    ) -> Sequence[Session]:
        """Return sessions revoked at or after a time, by (revoked_at, id)."""
        found = [
            (own.revoked_at, own.session_id, own)
            for own in self._sessions.values()
            if own.revoked_at is not None
            and (own.revoked_at, own.session_id) > (since, after or "")
        ]
        return [own for _, _, own in sorted(found, key=lambda row: row[:2])][:limit]

    async def forget(
        self, user_id: UserId, *, ended_before: datetime, session: DatabaseSession
    ) -> None:
        """Erase a user's ended sessions; see `SessionRepository.forget`."""
        for own in list(self._sessions.values()):
            if own.user_id != user_id:
                continue
            if own.revoked_at is None or own.revoked_at < ended_before:
                del self._sessions[own.session_id]
            else:
                self._sessions[own.session_id] = replace(
                    own,
                    device_name="",
                    client_address="",
                    provider_id="",
                    provider_session_hash="",
                )

    def _live(self, user_id: UserId, at: datetime) -> list[Session]:
        own = (
            session
            for session in self._sessions.values()
            if session.user_id == user_id and session.is_live(at)
        )
        return sorted(own, key=lambda session: session.session_id)
