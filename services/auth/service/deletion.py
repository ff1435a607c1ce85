"""Deleting an account: asked for, told to its owner, called off.

From the moment it is asked for nobody is signed in; until its date it can be called
off. What is erased then, and by whom, is `erasing`'s.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import EventBus, Transaction
from libs.events.catalog import AccountDeletionRequested, UserSuspended
from libs.kernel import Clock, UserId
from services.auth.domain import (
    Actor,
    EmailAddress,
    Permission,
    RevokeReason,
    Session,
    User,
    UserStatus,
)
from services.auth.domain.errors import (
    DeletionNotConfirmedError,
    EmailInvalidError,
    UserMissingError,
)
from services.auth.ports import PendingSignInRepository, UserRepository
from services.auth.service.acts import Acts, Order, Scene
from services.auth.service.deletion_cancel import DeletionCancel
from services.auth.service.invite_ends import InviteEnds
from services.auth.service.last_admin import AdminGuard
from services.auth.service.links import OneTimeLinks
from services.auth.service.notices import AccountNotices
from services.auth.service.sessions import SessionControl
from services.auth.service.step_up import StepUp

_CLOSED: Final = frozenset({UserStatus.PENDING, UserStatus.DEACTIVATED})
"""Nobody signs in to these until an administrator, or a first link, opens them."""


@dataclass(frozen=True)
class AccountDeletion:
    """Use cases of who wants to go, and of administrators."""

    bus: EventBus
    acts: Acts
    users: UserRepository
    admins: AdminGuard
    pending: PendingSignInRepository
    links: OneTimeLinks
    control: SessionControl
    step_up: StepUp
    notices: AccountNotices
    cancelling: DeletionCancel
    invites: InviteEnds
    audit: AuditTrail
    clock: Clock
    grace: timedelta

    async def request_own(self, actor: Actor, email: str) -> datetime:
        """Ask for the deletion of one's own account.

        Args:
            actor: The owner.
            email: The account's address, typed to confirm.

        Returns:
            When it will be erased; signing in before that calls it off.

        Raises:
            StepUpRequiredError: The last proof is older than five minutes (MF-6).
            DeletionNotConfirmedError: It is not the account's address.
            LastAdminError: Nobody would be left to administrate.
            UserMissingError: The account is gone.

        Emits: session.revoked, account.deletion_requested.
        """

        async def store(transaction: Transaction) -> tuple[datetime, list[Session]]:
            session = transaction.session
            await self.step_up.require(actor.user_id, actor.session_id, session)
            user = await self.users.pin(actor.user_id, session)
            if user is None or not user.may_sign_in:
                raise UserMissingError
            if not _is_address_of(user, email):
                raise DeletionNotConfirmedError
            due_at = self.clock.now() + self.grace
            _, ended = await self._leave(
                transaction, user, actor, deletion_due_at=due_at
            )
            await self.audit.record(_requested(actor), session)
            return due_at, ended

        due_at, ended = await self.bus.run_transaction(store)
        await self.control.announce(ended)
        return due_at

    async def order(self, actor: Actor, user_id: UserId, reason: str) -> User:
        """Close another's account and have it erased after the grace.

        Its owner cannot call that off, since nobody signs in to a closed account; if
        the owner asked before, the date stays. Ordering twice is ordering once.

        Raises:
            LastAdminError: Nobody would be left to administrate.
            AppError: See `Acts.on_account`.

        Emits: user.suspended, session.revoked, account.deletion_requested.
        """

        async def change(scene: Scene) -> tuple[User, list[Session]]:
            target = scene.target
            if target.deletion_due_at is not None and target.status in _CLOSED:
                return target, []
            due_at = target.deletion_due_at or self.clock.now() + self.grace
            fields: dict[str, Any] = {"deletion_due_at": due_at}
            if target.status not in _CLOSED:
                # A suspended one too: who reinstates it does not give its owner back
                # the way to call this off.
                fields["status"] = UserStatus.DEACTIVATED
            return await self._leave(scene.transaction, target, actor, **fields)

        order = Order(
            actor, Permission.DELETE_USERS, "user.deletion_ordered", user_id, reason
        )
        user, ended = await self.acts.on_account(order, change)
        await self.control.announce(ended)
        return user

    async def cancel(self, actor: Actor, user_id: UserId, reason: str) -> User:
        """Call another's deletion off; the account's status stays as it is.

        Raises:
            AppError: See `Acts.on_account`.

        Emits: account.deletion_cancelled.
        """

        async def change(scene: Scene) -> User:
            if scene.target.deletion_due_at is None:
                return scene.target
            return await self.cancelling.cancel_in(
                scene.transaction, scene.target, is_own=False
            )

        order = Order(
            actor, Permission.DELETE_USERS, "user.deletion_cancelled", user_id, reason
        )
        return await self.acts.on_account(order, change)

    async def _leave(
        self,
        transaction: Transaction,
        user: User,
        actor: Actor,
        **fields: Any,  # noqa: ANN401 - User's own fields
    ) -> tuple[User, list[Session]]:
        """Store the date and end everything that lets anybody in."""
        session = transaction.session
        leaving = user.changed(self.clock.now(), **fields)
        await self.admins.require_left(user, leaving, session)
        await self.users.update(leaving, session)
        await self.links.void(transaction, user.user_id)
        await self.pending.remove_all(user.user_id, session)
        if leaving.status is not user.status:
            transaction.publish(_suspended(leaving))
            await self.invites.end_in(transaction, user.user_id, actor_id=actor.user_id)
        self._tell(transaction, leaving, is_own=actor.user_id == user.user_id)
        ended = await self.control.end_others_in(
            transaction,
            user.user_id,
            None,
            RevokeReason.DELETED,
            actor_id=actor.user_id,
        )
        return leaving, ended

    def _tell(self, transaction: Transaction, user: User, *, is_own: bool) -> None:
        if user.verified_at is None:
            return  # nobody has shown that the address is theirs
        if user.is_due(self.clock.now()):
            return  # without a grace nothing is left to call off
        self.notices.tell(
            transaction,
            AccountDeletionRequested,
            user,
            {"email": user.email.written},
            due_at=user.deletion_due_at,
            is_own=is_own,
        )


def _is_address_of(user: User, email: str) -> bool:
    try:
        return EmailAddress.parse(email).key == user.email.key
    except EmailInvalidError:
        return False


def _requested(actor: Actor) -> AuditEntry:
    return AuditEntry(
        action="user.deletion_requested",
        actor_id=actor.user_id,
        session_id=actor.session_id,
        source=actor.address,
    )


def _suspended(user: User) -> UserSuspended:
    return UserSuspended(
        user_id=user.user_id, revision=user.revision, is_suspended=True
    )
