"""Administrators see and change who must have a second factor."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.events import Transaction
from libs.kernel import Clock, UserId
from services.auth.domain import (
    EVERYONE,
    Actor,
    Permission,
    Role,
    SecondFactorPolicy,
    Standing,
)
from services.auth.domain.errors import (
    RolesInvalidError,
    SecondFactorFirstError,
    UserMissingError,
)
from services.auth.ports import (
    DatabaseSession,
    RoleRepository,
    SecondFactorRepository,
    UserRepository,
)
from services.auth.service.acts import Acts, Order
from services.auth.service.second_factor_policies import SecondFactorPolicies

_TARGET = "second_factor_policy"


@dataclass(frozen=True)
class SecondFactorRule:
    """Use cases on the policy; whom it binds is asked at the next sign-in or refresh.

    Nobody is locked out by it: who has no factor enrols one in the sign-in itself, and
    who makes a rule that binds themselves has one already.
    """

    acts: Acts
    policies: SecondFactorPolicies
    users: UserRepository
    factors: SecondFactorRepository
    roles: RoleRepository
    clock: Clock

    async def get(self, user_id: UserId) -> SecondFactorPolicy:
        """Return the policy that counts.

        Raises:
            NotPermittedError: The caller may not change it either.
        """
        await self.acts.authority.require(user_id, Permission.MANAGE_POLICY)
        return await self.policies.current()

    async def put(
        self, actor: Actor, roles: Sequence[str], reason: str
    ) -> SecondFactorPolicy:
        """Say who must have a second factor from now on.

        Args:
            actor: Who says so.
            roles: Base and custom roles; `EVERYONE` for all, nothing for nobody.
            reason: Kept in the audit.

        Raises:
            RolesInvalidError: A role that there is not.
            GrantTooHighError: It frees a role above the caller's (AZ-7).
            SecondFactorFirstError: It binds the caller, who has no factor.
            AppError: See `Acts.run`.
        """
        policy = SecondFactorPolicy(frozenset(roles), self.clock.now())

        async def store(transaction: Transaction, acting: Standing) -> None:
            session = transaction.session
            before = await self.policies.current(session)
            for role in before.roles - policy.roles:
                acting.require_cover(_highest_of(role), ())
            await self._check_roles(policy, session)
            await self._check_own(policy, acting.user_id, session)
            await self.policies.stored.put(policy, session)

        order = Order(
            actor,
            Permission.MANAGE_POLICY,
            "second_factor_policy.changed",
            _TARGET,
            reason,
            {"roles": " ".join(sorted(policy.roles))},
        )
        await self.acts.run(order, store)
        return policy

    async def _check_roles(
        self, policy: SecondFactorPolicy, session: DatabaseSession
    ) -> None:
        custom = policy.roles - set(Role) - {EVERYONE}
        if len(await self.roles.named(sorted(custom), session)) != len(custom):
            raise RolesInvalidError("unknown")

    async def _check_own(
        self, policy: SecondFactorPolicy, user_id: UserId, session: DatabaseSession
    ) -> None:
        user = await self.users.get(user_id, session)
        if user is None:
            raise UserMissingError
        own = await self.factors.get(user_id, session)
        if policy.requires(user) and not own.is_enrolled:
            raise SecondFactorFirstError


def _highest_of(role: str) -> Role:
    """Return the highest base role among those whom a name binds."""
    return Role(role) if role in set(Role) else Role.ADMIN
