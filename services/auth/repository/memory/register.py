"""The register of people and custom roles in memory, for tests."""
# ruff: noqa: ARG002 - the ports pass a database session, memory has none

from collections.abc import Collection, Sequence

from libs.kernel import UserId
from services.auth.domain import (
    CustomRole,
    User,
    UserFilter,
)
from services.auth.ports import DatabaseSession
from services.auth.repository.memory.people import MemoryUserRepository
from services.auth.repository.users import search_keys


class MemoryUserRegister:
    """Looks at the users in memory."""

    def __init__(self, users: MemoryUserRepository) -> None:
        self._users = users

    async def find(
        self, wanted: UserFilter, *, after: str | None, limit: int
    ) -> Sequence[User]:
        """Return the users that meet every criterion; see `UserRegister.find`."""
        found = [
            user
            for user in self._users.everyone()
            if user.user_id > (after or "") and _meets(user, wanted)
        ]
        return found[:limit]

    async def has_other_admin(self, user_id: UserId, session: DatabaseSession) -> bool:
        """Tell whether there is an active admin besides this user."""
        return any(
            user.administrates and user.user_id != user_id
            for user in self._users.everyone()
        )

    async def has_role(self, name: str, session: DatabaseSession) -> bool:
        """Tell whether anybody has a role."""
        return any(name in user.roles for user in self._users.everyone())


class MemoryRoleRepository:
    """Custom roles in a dictionary."""

    def __init__(self) -> None:
        self._roles: dict[str, CustomRole] = {}

    async def all(self) -> Sequence[CustomRole]:
        """Return every custom role, by name."""
        return [self._roles[name] for name in sorted(self._roles)]

    async def get(self, name: str, session: DatabaseSession) -> CustomRole | None:
        """Return a custom role."""
        return self._roles.get(name)

    async def named(
        self, names: Collection[str], session: DatabaseSession
    ) -> Sequence[CustomRole]:
        """Return those of these roles that exist."""
        return [role for role in await self.all() if role.name in names]

    async def pin(
        self, names: Collection[str], session: DatabaseSession
    ) -> Sequence[CustomRole]:
        """Return those that exist; in memory nothing runs beside."""
        return await self.named(names, session)

    async def put(self, role: CustomRole, session: DatabaseSession) -> None:
        """Store a role in place of the one of its name."""
        self._roles[role.name] = role

    async def remove(self, name: str, session: DatabaseSession) -> bool:
        """Remove a role; False if there was none."""
        return self._roles.pop(name, None) is not None


def _meets(user: User, wanted: UserFilter) -> bool:
    checks = (
        wanted.handle is None or user.handle == wanted.handle,
        wanted.status is None or user.status.value == wanted.status,
        wanted.role is None or wanted.role in user.roles,
        wanted.is_bot is None or wanted.is_bot is user.is_bot,
        not wanted.name_key
        or any(own.startswith(wanted.name_key) for own in search_keys(user)),
    )
    return all(checks)
