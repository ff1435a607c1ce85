"""Calling a deletion off, in the transaction of what calls it off."""

from dataclasses import dataclass

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import Transaction
from libs.events.catalog import AccountDeletionCancelled
from libs.kernel import Clock
from services.auth.domain import (
    ClientDevice,
    User,
)
from services.auth.domain.errors import CredentialsInvalidError
from services.auth.ports import UserRepository
from services.auth.service.notices import AccountNotices


@dataclass(frozen=True)
class DeletionCancel:
    """Keeps an account that was about to be erased."""

    users: UserRepository
    notices: AccountNotices
    audit: AuditTrail
    clock: Clock

    async def by_sign_in(
        self, transaction: Transaction, user: User, device: ClientDevice
    ) -> User:
        """Return the account as it goes on after its owner signed in.

        Args:
            transaction: The sign-in's; the account is pinned in it.
            user: Active; one that nobody wants deleted stays as it is.
            device: Where the sign-in comes from.

        Raises:
            CredentialsInvalidError: The grace is over, the account as good as gone.

        Emits: account.deletion_cancelled.
        """
        if user.deletion_due_at is None:
            return user
        if user.is_due(self.clock.now()):
            raise CredentialsInvalidError
        entry = AuditEntry(
            action="user.deletion_cancelled",
            actor_id=user.user_id,
            source=device.address,
            reason="signed_in",
        )
        await self.audit.record(entry, transaction.session)
        return await self.cancel_in(transaction, user, is_own=True)

    async def cancel_in(
        self, transaction: Transaction, user: User, *, is_own: bool
    ) -> User:
        """Store that an account stays, and tell its owner."""
        kept = user.changed(self.clock.now(), deletion_due_at=None)
        await self.users.update(kept, transaction.session)
        if kept.verified_at is not None:
            self.notices.tell(
                transaction,
                AccountDeletionCancelled,
                kept,
                {"email": kept.email.written},
                is_own=is_own,
            )
        return kept
