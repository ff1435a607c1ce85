"""Who may do what in the installation: roles and permissions in one table.

A user has exactly one base role and, unless it is guest, any number of custom ones. A
custom role is a name for permissions from this table; it adds, it never takes away.
Other services know the base roles alone (ADR 0030). `docs/roles.md` is generated from
here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from libs.kernel import UserId
from services.auth.domain.errors import (
    GrantTooHighError,
    NotPermittedError,
    OwnAccountError,
    RoleNameInvalidError,
    RolesInvalidError,
    TargetOutranksError,
)

CUSTOM_ROLES_MAX: Final = 100
ROLES_PER_USER_MAX: Final = 10
_ROLE_NAME = re.compile(r"[a-z][a-z0-9-]{1,30}[a-z0-9]")


class Role(StrEnum):
    """Base roles of the installation, the highest first."""

    ADMIN = "admin"
    MODERATOR = "moderator"
    MEMBER = "member"
    GUEST = "guest"


class Permission(StrEnum):
    """What a role may allow; each stands for the routes that ask for it."""

    SEARCH_PEOPLE = "people.search"
    READ_USERS = "users.read"
    SUSPEND_USERS = "users.suspend"
    DEACTIVATE_USERS = "users.deactivate"
    DELETE_USERS = "users.delete"
    CHANGE_ROLES = "users.change_roles"
    RESET_PASSWORDS = "users.reset_password"  # pragma: allowlist secret
    RESET_FACTORS = "users.reset_factors"
    READ_SESSIONS = "sessions.read"
    END_SESSIONS = "sessions.end"
    READ_AUDIT = "audit.read"
    MANAGE_ROLES = "roles.manage"
    MANAGE_BOTS = "bots.manage"
    MANAGE_POLICY = "policy.manage"


_GUEST: frozenset[Permission] = frozenset()
_MEMBER = _GUEST | {Permission.SEARCH_PEOPLE}
_MODERATOR = _MEMBER | {
    Permission.READ_USERS,
    Permission.SUSPEND_USERS,
    Permission.READ_SESSIONS,
    Permission.END_SESSIONS,
}
PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.ADMIN: frozenset(Permission),
        Role.MODERATOR: _MODERATOR,
        Role.MEMBER: _MEMBER,
        Role.GUEST: _GUEST,
    }
)
"""The table: what each base role allows."""

_RANKS: Final = {role: rank for rank, role in enumerate(reversed(Role))}


@dataclass(frozen=True)
class CustomRole:
    """A named set of permissions that is given beside a base role."""

    name: str
    description: str
    permissions: frozenset[Permission]
    updated_at: datetime


@dataclass(frozen=True)
class Standing:
    """What somebody may do at this moment.

    Attributes:
        base: The base role.
        permissions: Of the base role and of every custom one.
    """

    user_id: UserId
    base: Role
    permissions: frozenset[Permission]

    def require(self, permission: Permission) -> None:
        """Check that it is allowed.

        Raises:
            NotPermittedError: It is not.
        """
        if permission not in self.permissions:
            raise NotPermittedError(permission)

    def require_power_over(self, target: "Standing") -> None:
        """Check that one may act on another's account.

        An admin may on anyone's; others only on an account that may do less than
        theirs, so that peers do not shut each other out.

        Raises:
            OwnAccountError: It is the own account.
            TargetOutranksError: It is not below.
        """
        if target.user_id == self.user_id:
            raise OwnAccountError
        is_below = target.permissions < self.permissions
        is_ranked = _RANKS[target.base] <= _RANKS[self.base]
        if self.base is not Role.ADMIN and not (is_below and is_ranked):
            raise TargetOutranksError

    def require_cover(self, base: Role, permissions: Iterable[Permission]) -> None:
        """Check that one may give or take away a role of this base and this power.

        Raises:
            GrantTooHighError: It goes beyond the own.
        """
        is_within = frozenset(permissions) <= self.permissions
        if _RANKS[base] > _RANKS[self.base] or not is_within:
            raise GrantTooHighError


def standing_of(
    user_id: UserId, roles: Iterable[str], custom: Iterable[CustomRole]
) -> Standing:
    """Return what somebody may do.

    Args:
        user_id: Whose.
        roles: All names that the user has.
        custom: Those custom roles of them that exist; a guest's are void.
    """
    base = base_role(roles)
    granted = set(PERMISSIONS[base])
    if base is not Role.GUEST:
        granted.update(*(role.permissions for role in custom))
    return Standing(user_id, base, frozenset(granted))


def base_role(roles: Iterable[str]) -> Role:
    """Return the base role among names; the least one where there is none."""
    names = set(roles)
    return next((role for role in Role if role in names), Role.GUEST)


def custom_names(roles: Iterable[str]) -> tuple[str, ...]:
    """Return the names that are no base role."""
    return tuple(name for name in roles if name not in set(Role))


def check_roles(names: Iterable[str]) -> tuple[str, ...]:
    """Return the roles of a user in their stored form: the base role, then by name.

    Raises:
        RolesInvalidError: Not exactly one base role, a name twice, too many.
    """
    given = list(names)
    bases = [name for name in given if name in set(Role)]
    if len(bases) != 1:
        raise RolesInvalidError("one_base_role")
    if len(set(given)) != len(given):
        raise RolesInvalidError("named_twice")
    if len(given) > ROLES_PER_USER_MAX:
        raise RolesInvalidError("too_many")
    return (bases[0], *sorted(custom_names(given)))


def check_role_name(name: str) -> str:
    """Return the name of a custom role if it may be taken.

    Raises:
        RoleNameInvalidError: It breaks the pattern or is a base role's.
    """
    if _ROLE_NAME.fullmatch(name) is None or name in set(Role):
        raise RoleNameInvalidError
    return name
