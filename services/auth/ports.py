"""What the core needs from outside; adapters live in `repository` and `cache`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from libs.kernel import SessionId, UserId
from services.auth.domain import EmailAddress, Session, User, Verification

DatabaseSession = Any
"""The session of a transaction (pymongo's AsyncClientSession), or None outside one."""


class UserRepository(Protocol):
    """Accounts; the mail address is sealed at rest and found by a keyed index."""

    async def add(self, user: User, session: DatabaseSession) -> None:
        """Store a new account.

        Raises:
            EmailTakenError: Another one has the address.
        """
        ...

    async def update(self, user: User, session: DatabaseSession) -> None:
        """Replace the revision before this one.

        Raises:
            UserChangedError: The stored revision is another.
            HandleTakenError: Another user has the handle.
        """
        ...

    async def get(self, user_id: UserId, session: DatabaseSession) -> User | None:
        """Return an account whatever its status."""
        ...

    async def find_by_email(
        self, email: EmailAddress, session: DatabaseSession
    ) -> User | None:
        """Return the account of an address whatever its status."""
        ...

    async def find_by_handle(self, handle: str) -> User | None:
        """Return the active user with exactly this handle."""
        ...

    async def search(
        self, key: str, *, after: str | None, limit: int
    ) -> Sequence[User]:
        """Return active users whose handle or a word of whose name begins so.

        Args:
            key: From `search_key`, not empty.
            after: Id of the last user of the page before.
            limit: At most this many.

        Returns:
            In the order of their ids, that is of their registration.
        """
        ...

    async def get_many(self, user_ids: Sequence[str]) -> Sequence[User]:
        """Return the visible ones of these users, in the order of their ids."""
        ...


class CredentialRepository(Protocol):
    """Password hashes, apart from the users so that no profile query reads one."""

    async def get(self, user_id: UserId, session: DatabaseSession) -> str | None:
        """Return the stored hash."""
        ...

    async def put(
        self, user_id: UserId, password_hash: str, session: DatabaseSession
    ) -> None:
        """Store a hash in place of the one before."""
        ...

    async def replace(self, user_id: UserId, old: str, new: str) -> None:
        """Store a hash if the one before is still `old` (rehash at login)."""
        ...


class VerificationRepository(Protocol):
    """Links that wait to be followed, by the hash of their token."""

    async def add(self, verification: Verification, session: DatabaseSession) -> None:
        """Store a link."""
        ...

    async def take(
        self, token_hash: str, session: DatabaseSession
    ) -> Verification | None:
        """Remove and return a link; of several callers one gets it (PW-8)."""
        ...

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Void every other link of a user."""
        ...


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


class LoginAttempt(Protocol):
    """One admitted attempt: counted as a failure until told otherwise."""

    async def failed(self) -> None:
        """Say that it was a failure, no longer one that is being looked at."""
        ...

    async def succeeded(self) -> None:
        """Clear the account's failures, and this attempt of the client address."""
        ...

    async def withdraw(self) -> None:
        """Uncount it: no password was looked at, for lack of capacity say."""
        ...


class LoginThrottle(Protocol):
    """Counts attempts before the password is looked at, in one atomic step (LT-2)."""

    async def begin(self, email: EmailAddress, client_address: str) -> LoginAttempt:
        """Admit an attempt and count it.

        Raises:
            LoginThrottledError: Too many failures of this account from this address,
                of this account at all, or from this address at all.
            UnavailableError: The counters cannot be reached; nobody signs in.
        """
        ...


class MailThrottle(Protocol):
    """Keeps a stranger from filling somebody's mailbox."""

    async def is_admitted(self, email: EmailAddress) -> bool:
        """Count one mail to an address and tell whether it may be sent.

        Raises:
            UnavailableError: The counter cannot be reached.
        """
        ...


class RevocationAnnouncer(Protocol):
    """The fast way of telling that a session is over; the event is the sure one."""

    async def announce(self, sessions: Sequence[Session]) -> None:
        """Tell every listener now; failing is logged, never raised."""
        ...
