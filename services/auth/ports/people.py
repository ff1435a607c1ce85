"""Stores of accounts, their passwords and the links sent to them."""

from collections.abc import Sequence
from typing import Protocol

from libs.kernel import UserId
from services.auth.domain import (
    EmailAddress,
    User,
)
from services.auth.ports.database import DatabaseSession


class UserRepository(Protocol):
    """Accounts; the mail address is sealed at rest and found by a keyed index."""

    async def add(self, user: User, session: DatabaseSession) -> None:
        """Store a new account.

        Raises:
            EmailTakenError: Another one has the address.
            HandleTakenError: Another one has the handle.
        """
        ...

    async def update(self, user: User, session: DatabaseSession) -> None:
        """Replace the revision before this one.

        Raises:
            UserChangedError: The stored revision is another.
            HandleTakenError: Another user has the handle.
            EmailTakenError: Another user has the address.
        """
        ...

    async def get(self, user_id: UserId, session: DatabaseSession) -> User | None:
        """Return an account whatever its status."""
        ...

    async def pin(self, user_id: UserId, session: DatabaseSession) -> User | None:
        """Return an account that no parallel transaction changes before this one ends.

        What rests on somebody's status or roles, a sign-in or an administrative act,
        pins them: else it could commit beside the change that forbids it.
        """
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

    async def pin(self, user_id: UserId, session: DatabaseSession) -> str | None:
        """Return a hash that no parallel transaction changes before this one ends.

        A sign-in pins the password it rests on: else it could commit beside the
        change that ends every session of the old one (PW-7).
        """
        ...

    async def put(
        self, user_id: UserId, password_hash: str, session: DatabaseSession
    ) -> None:
        """Store a hash in place of the one before."""
        ...

    async def replace(self, user_id: UserId, old: str, new: str) -> None:
        """Store a hash if the one before is still `old` (rehash at login)."""
        ...

    async def void(self, user_id: UserId, session: DatabaseSession) -> bool:
        """Forget a hash, but not that there was one: it has to be chosen anew.

        Returns:
            False if the account has no password.
        """
        ...

    async def is_kept(self, user_id: UserId, session: DatabaseSession) -> bool:
        """Tell whether the account has a password, be it one to be chosen anew."""
        ...

    async def remove(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget a hash: the account has no password then."""
        ...
