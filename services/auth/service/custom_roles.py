"""Custom roles: named sets of permissions from the table."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.events import Transaction
from libs.kernel import Clock, UserId
from services.auth.domain import (
    CUSTOM_ROLES_MAX,
    Actor,
    CustomRole,
    Permission,
    Standing,
    check_role_name,
    check_status_text,
)
from services.auth.domain.errors import (
    RoleInUseError,
    RoleLimitError,
    RoleMissingError,
    RolesInvalidError,
)
from services.auth.ports import RoleRepository, UserRegister
from services.auth.service.acts import Acts, Order
from services.auth.service.authority import Authority


@dataclass(frozen=True)
class CustomRoles:
    """Use cases on the roles that an installation adds to the four of the house."""

    acts: Acts
    authority: Authority
    roles: RoleRepository
    register: UserRegister
    clock: Clock

    async def all(self, user_id: UserId) -> Sequence[CustomRole]:
        """Return every custom role, by name; at most 100.

        Raises:
            NotPermittedError: The caller may not see users.
        """
        await self.authority.require(user_id, Permission.READ_USERS)
        return await self.roles.all()

    async def put(
        self,
        actor: Actor,
        name: str,
        *,
        description: str,
        permissions: Sequence[str],
        reason: str,
    ) -> CustomRole:
        """Create a role or change it; whoever has it may act so from now on.

        Raises:
            RoleNameInvalidError: The name breaks the pattern or is a base role's.
            RolesInvalidError: A permission is none of the table.
            GrantTooHighError: It allows, or allowed, more than the caller may.
            RoleLimitError: There are 100.
            AppError: See `Acts.run`.
        """
        role = CustomRole(
            name=check_role_name(name),
            description=check_status_text(description),
            permissions=_permissions(permissions),
            updated_at=self.clock.now(),
        )

        async def store(transaction: Transaction, acting: Standing) -> CustomRole:
            session = transaction.session
            known = await self.roles.pin([name], session)
            if not known and len(await self.roles.all()) >= CUSTOM_ROLES_MAX:
                raise RoleLimitError(CUSTOM_ROLES_MAX)
            for one in (role, *known):
                acting.require_cover(acting.base, one.permissions)
            await self.roles.put(role, session)
            return role

        details = {"permissions": " ".join(sorted(role.permissions))}
        return await self.acts.run(
            _order(actor, "role.changed", name, reason, details), store
        )

    async def remove(self, actor: Actor, name: str, reason: str) -> None:
        """Delete a role that nobody has.

        Raises:
            RoleMissingError: There is none.
            RoleInUseError: Somebody has it.
            GrantTooHighError: It allows more than the caller may.
            AppError: See `Acts.run`.
        """

        async def drop(transaction: Transaction, acting: Standing) -> None:
            session = transaction.session
            known = await self.roles.get(name, session)
            if known is None:
                raise RoleMissingError
            acting.require_cover(acting.base, known.permissions)
            if await self.register.has_role(name, session):
                raise RoleInUseError
            await self.roles.remove(name, session)

        await self.acts.run(_order(actor, "role.deleted", name, reason, {}), drop)


def _order(
    actor: Actor, action: str, name: str, reason: str, details: dict[str, str]
) -> Order:
    return Order(actor, Permission.MANAGE_ROLES, action, name, reason, details)


def _permissions(names: Sequence[str]) -> frozenset[Permission]:
    known = set(Permission)
    if not names or any(name not in known for name in names):
        raise RolesInvalidError("permission_unknown")
    return frozenset(Permission(name) for name in names)
