"""The repositories in memory, for tests; same behaviour, no durability."""
# ruff: noqa: ARG002 - the ports pass a database session, memory has none

from collections.abc import Sequence

from libs.kernel import UserId
from services.auth.domain import (
    EmailAddress,
    User,
)
from services.auth.domain.errors import (
    EmailTakenError,
    HandleTakenError,
    UserChangedError,
)
from services.auth.ports import DatabaseSession
from services.auth.repository.users import search_keys


class MemoryUserRepository:
    """Users in a dictionary."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}

    async def add(self, user: User, session: DatabaseSession) -> None:
        """Store a new account; see `UserRepository.add`."""
        self._check_unique(user, list(self._users.values()))
        self._users[user.user_id] = user

    async def update(self, user: User, session: DatabaseSession) -> None:
        """Replace the revision before; see `UserRepository.update`."""
        stored = self._users.get(user.user_id)
        if stored is None or stored.revision != user.revision - 1:
            raise UserChangedError
        others = [other for other in self._users.values() if other is not stored]
        self._check_unique(user, others)
        self._users[user.user_id] = user

    async def get(self, user_id: UserId, session: DatabaseSession) -> User | None:
        """Return an account whatever its status."""
        return self._users.get(user_id)

    async def pin(self, user_id: UserId, session: DatabaseSession) -> User | None:
        """Return an account; in memory nothing runs beside."""
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

    def drop(self, user_id: UserId) -> None:
        """Remove an account; nothing happens if it is gone."""
        self._users.pop(user_id, None)

    def everyone(self) -> list[User]:
        """Return all accounts in the order of their ids."""
        return sorted(self._users.values(), key=lambda user: user.user_id)

    @staticmethod
    def _check_unique(user: User, others: list[User]) -> None:
        address = user.email.key
        if address and any(other.email.key == address for other in others):
            raise EmailTakenError
        if user.handle and any(other.handle == user.handle for other in others):
            raise HandleTakenError

    def _active(self) -> list[User]:
        return [user for user in self._visible() if user.may_sign_in]

    def _visible(self) -> list[User]:
        visible = (user for user in self._users.values() if user.is_visible)
        return sorted(visible, key=lambda user: user.user_id)


class MemoryCredentialRepository:
    """Password hashes in a dictionary."""

    def __init__(self) -> None:
        self._hashes: dict[str, str | None] = {}

    async def get(self, user_id: UserId, session: DatabaseSession) -> str | None:
        """Return the stored hash."""
        return self._hashes.get(user_id)

    async def pin(self, user_id: UserId, session: DatabaseSession) -> str | None:
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

    async def void(self, user_id: UserId, session: DatabaseSession) -> bool:
        """Forget a hash alone; see `CredentialRepository.void`."""
        if user_id not in self._hashes:
            return False
        self._hashes[user_id] = None
        return True

    async def is_kept(self, user_id: UserId, session: DatabaseSession) -> bool:
        """Tell whether there is a password, void or not."""
        return user_id in self._hashes

    async def remove(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget a hash."""
        self._hashes.pop(user_id, None)
