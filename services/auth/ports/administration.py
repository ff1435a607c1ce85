"""What the administration of people needs of the database."""

from collections.abc import Collection, Sequence
from typing import Protocol

from libs.kernel import UserId
from services.auth.domain import (
    CustomRole,
    User,
    UserFilter,
)
from services.auth.ports.database import DatabaseSession


class UserRegister(Protocol):
    """The accounts as administrators see them, whatever their status."""

    async def find(
        self, wanted: UserFilter, *, after: str | None, limit: int
    ) -> Sequence[User]:
        """Return the users that meet every given criterion, in the order of ids."""
        ...

    async def has_other_admin(self, user_id: UserId, session: DatabaseSession) -> bool:
        """Tell whether an active admin stays besides this user.

        Transactions that ask wait for each other, so that two that each take one of
        two admins away cannot both be told yes.
        """
        ...

    async def has_role(self, name: str, session: DatabaseSession) -> bool:
        """Tell whether anybody has a role."""
        ...


class RoleRepository(Protocol):
    """Custom roles by name."""

    async def all(self) -> Sequence[CustomRole]:
        """Return every custom role, by name."""
        ...

    async def get(self, name: str, session: DatabaseSession) -> CustomRole | None:
        """Return a custom role."""
        ...

    async def named(
        self, names: Collection[str], session: DatabaseSession
    ) -> Sequence[CustomRole]:
        """Return those of these roles that exist."""
        ...

    async def pin(
        self, names: Collection[str], session: DatabaseSession
    ) -> Sequence[CustomRole]:
        """Return those that exist, and hold them until the transaction ends."""
        ...

    async def put(self, role: CustomRole, session: DatabaseSession) -> None:
        """Store a role in place of the one of its name."""
        ...

    async def remove(self, name: str, session: DatabaseSession) -> bool:
        """Remove a role; False if there was none."""
        ...
