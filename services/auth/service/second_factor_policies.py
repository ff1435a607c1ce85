"""Who must have a second factor: the stored rule, else the setting (ADR 0044)."""

from dataclasses import dataclass

from services.auth.domain import (
    SecondFactorPolicy,
    User,
)
from services.auth.ports import DatabaseSession, SecondFactorPolicyRepository

Roles = tuple[str, ...]


@dataclass(frozen=True)
class SecondFactorPolicies:
    """Read anew for every question: a change counts at once in every instance.

    Attributes:
        initial: Of the settings; counts until an administrator has stored another.
    """

    stored: SecondFactorPolicyRepository
    initial: SecondFactorPolicy

    async def current(self, session: DatabaseSession = None) -> SecondFactorPolicy:
        """Return the policy that counts."""
        return await self.stored.get(session) or self.initial

    async def requires(self, user: User, session: DatabaseSession = None) -> bool:
        """Tell whether this user must have a second factor."""
        return (await self.current(session)).requires(user)

    async def binds(self, roles: Roles) -> bool:
        """Tell whether holders of these roles must have a second factor."""
        return (await self.current()).binds(roles)
