"""The repositories in memory, for tests; same behaviour, no durability."""
# ruff: noqa: ARG002 - the ports pass a database session, memory has none

from collections.abc import Sequence
from datetime import datetime

from libs.kernel import SessionId, UserId
from services.auth.domain import (
    EmailAddress,
    EmailTakenError,
    HandleTakenError,
    Session,
    User,
    UserChangedError,
    Verification,
)
from services.auth.ports import DatabaseSession
from services.auth.repository.users import search_keys


class MemoryUserRepository:
    """Users in a dictionary."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}

    async def add(self, user: User, session: DatabaseSession) -> None:
        """Store a new account; see `UserRepository.add`."""
        if any(known.email.key == user.email.key for known in self._users.values()):
            raise EmailTakenError
        self._users[user.user_id] = user

    async def update(self, user: User, session: DatabaseSession) -> None:
        """Replace the revision before; see `UserRepository.update`."""
        stored = self._users.get(user.user_id)
        if stored is None or stored.revision != user.revision - 1:
            raise UserChangedError
        others = (other for other in self._users.values() if other is not stored)
        if user.handle and any(other.handle == user.handle for other in others):
            raise HandleTakenError
        self._users[user.user_id] = user

    async def get(self, user_id: UserId, session: DatabaseSession) -> User | None:
        """Return an account whatever its status."""
        return self._users.get(user_id)

    async def find_by_email(
        self, email: EmailAddress, session: DatabaseSession
    ) -> User | None:
        """Return the account of an address whatever its status."""
        found = (user for user in self._users.values() if user.email.key == email.key)
        return next(found, None)

    async def find_by_handle(self, handle: str) -> User | None:
        """Return the active user with exactly this handle."""
        return next((user for user in self._active() if user.handle == handle), None)

    async def search(
        self, key: str, *, after: str | None, limit: int
    ) -> Sequence[User]:
        """Return active users by prefix; see `UserRepository.search`."""
        found = [
            user
            for user in self._active()
            if user.user_id > (after or "")
            and any(own.startswith(key) for own in search_keys(user))
        ]
        return found[:limit]

    async def get_many(self, user_ids: Sequence[str]) -> Sequence[User]:
        """Return the visible ones of these users."""
        return [user for user in self._visible() if user.user_id in set(user_ids)]

    def _active(self) -> list[User]:
        return [user for user in self._visible() if user.may_sign_in]

    def _visible(self) -> list[User]:
        visible = (user for user in self._users.values() if user.is_visible)
        return sorted(visible, key=lambda user: user.user_id)


class MemoryCredentialRepository:
    """Password hashes in a dictionary."""

    def __init__(self) -> None:
        self._hashes: dict[str, str] = {}

    async def get(self, user_id: UserId, session: DatabaseSession) -> str | None:
        """Return the stored hash."""
        return self._hashes.get(user_id)

    async def put(
        self, user_id: UserId, password_hash: str, session: DatabaseSession
    ) -> None:
        """Store a hash in place of the one before."""
        self._hashes[user_id] = password_hash

    async def replace(self, user_id: UserId, old: str, new: str) -> None:
        """Store a hash if the one before is still `old`."""
        if self._hashes.get(user_id) == old:
            self._hashes[user_id] = new


class MemoryVerificationRepository:
    """Links in a dictionary."""

    def __init__(self) -> None:
        self._links: dict[str, Verification] = {}

    async def add(self, verification: Verification, session: DatabaseSession) -> None:
        """Store a link."""
        self._links[verification.token_hash] = verification

    async def take(
        self, token_hash: str, session: DatabaseSession
    ) -> Verification | None:
        """Remove and return a link; one caller gets it."""
        return self._links.pop(token_hash, None)

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Void every other link of a user."""
        self._links = {
            key: link for key, link in self._links.items() if link.user_id != user_id
        }


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

    def _live(self, user_id: UserId, at: datetime) -> list[Session]:
        own = (
            session
            for session in self._sessions.values()
            if session.user_id == user_id and session.is_live(at)
        )
        return sorted(own, key=lambda session: session.session_id)
