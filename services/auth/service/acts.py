"""The frame of every administrative act: who may, on whom, and the record of it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from libs.chassis.audit import AuditEntry, AuditResult, AuditTrail
from libs.events import EventBus, Transaction
from libs.kernel import ForbiddenError, UserId
from services.auth.domain import (
    Actor,
    Permission,
    Standing,
    User,
    check_reason,
)
from services.auth.domain.errors import UserMissingError
from services.auth.ports import UserRepository
from services.auth.service.authority import Authority

T = TypeVar("T")


@dataclass(frozen=True)
class Order:
    """An administrative act that was asked for.

    Attributes:
        action: As the audit names it.
        target: Id of the account, or name of the role.
        reason: Why, in the words of who asks.
        details: What else the audit keeps.
    """

    actor: Actor
    permission: Permission
    action: str
    target: str
    reason: str
    details: Mapping[str, str | int | bool] = field(default_factory=dict)

    def entry(self, result: AuditResult, reason: str) -> AuditEntry:
        """Return what the audit keeps of it."""
        return AuditEntry(
            action=self.action,
            actor_id=self.actor.user_id,
            target_id=self.target,
            session_id=self.actor.session_id,
            source=self.actor.address,
            result=result,
            reason=reason,
            details=self.details,
        )


@dataclass(frozen=True)
class Scene:
    """The running transaction of an act, and the two sides of it."""

    transaction: Transaction
    acting: Standing
    target: User
    target_standing: Standing


@dataclass(frozen=True)
class Acts:
    """Runs administrative acts; refusals are recorded as well."""

    bus: EventBus
    users: UserRepository
    authority: Authority
    audit: AuditTrail

    async def on_account(
        self, order: Order, change: Callable[[Scene], Awaitable[T]]
    ) -> T:
        """Do something to another's account in one transaction with its record.

        Raises:
            ReasonInvalidError: No reason that can be kept.
            NotPermittedError: The caller's roles do not allow it.
            StepUpRequiredError: The caller's last proof is too old.
            UserMissingError: There is no such account.
            OwnAccountError: It is the caller's own.
            TargetOutranksError: It is not below the caller's.
        """

        async def act(transaction: Transaction, acting: Standing) -> T:
            session = transaction.session
            target = await self.users.get(UserId(order.target), session)
            if target is None:
                raise UserMissingError
            standing = await self.authority.standing(target, session)
            acting.require_power_over(standing)
            return await change(Scene(transaction, acting, target, standing))

        return await self.run(order, act)

    async def run(
        self, order: Order, act: Callable[[Transaction, Standing], Awaitable[T]]
    ) -> T:
        """Do what needs a permission in one transaction with its record.

        Raises:
            ReasonInvalidError, NotPermittedError, StepUpRequiredError: See
                `on_account`.
        """
        reason = check_reason(order.reason)

        async def store(transaction: Transaction) -> T:
            session = transaction.session
            acting = await self.authority.require_act(
                order.actor, order.permission, session
            )
            done = await act(transaction, acting)
            await self.audit.record(order.entry(AuditResult.SUCCESS, reason), session)
            return done

        async with self._refusals_recorded(order):
            return await self.bus.run_transaction(store)

    async def read(self, order: Order) -> Standing:
        """Check and record that somebody looks at what is another's.

        Raises:
            NotPermittedError: The caller's roles do not allow it.
        """
        async with self._refusals_recorded(order):
            standing = await self.authority.require(
                order.actor.user_id, order.permission
            )
        await self.audit.record(order.entry(AuditResult.SUCCESS, order.reason), None)
        return standing

    @asynccontextmanager
    async def _refusals_recorded(self, order: Order) -> AsyncIterator[None]:
        try:
            yield
        except ForbiddenError as refused:
            entry = order.entry(AuditResult.REFUSED, refused.code)
            await self.audit.record(entry, None)
            raise
