"""The operator's way to the first admin, and back in when all admins are lost."""

from dataclasses import dataclass
from typing import Final

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import EventBus, Transaction
from libs.kernel import Clock
from services.auth.domain import (
    EmailAddress,
    Role,
    User,
    UserStatus,
    custom_names,
)
from services.auth.domain.errors import (
    StatusRefusedError,
    UserMissingError,
)
from services.auth.ports import UserRepository
from services.auth.service.profiles import user_updated

OPERATOR: Final = "operator"
"""Actor in the audit of what is done by command: whoever has the service's keys."""


@dataclass(frozen=True)
class Appointment:
    """Makes an admin without one; reached by command alone, never by a request."""

    bus: EventBus
    users: UserRepository
    audit: AuditTrail
    clock: Clock

    async def appoint(self, email: str) -> User:
        """Make the active account of an address an admin; idempotent.

        Raises:
            EmailInvalidError: The text is no address.
            UserMissingError: Nobody has it.
            StatusRefusedError: The account is not active.

        Emits: user.updated.
        """
        address = EmailAddress.parse(email)

        async def store(transaction: Transaction) -> User:
            user = await self.users.find_by_email(address, transaction.session)
            if user is None:
                raise UserMissingError
            if not user.may_sign_in:
                raise StatusRefusedError(user.status, UserStatus.ACTIVE)
            if Role.ADMIN in user.roles:
                return user
            roles = (Role.ADMIN.value, *custom_names(user.roles))
            admin = user.changed(self.clock.now(), roles=roles)
            await self.users.update(admin, transaction.session)
            transaction.publish(user_updated(admin))
            await self._record(admin, transaction)
            return admin

        return await self.bus.run_transaction(store)

    async def _record(self, admin: User, transaction: Transaction) -> None:
        entry = AuditEntry(
            action="user.roles_changed",
            actor_id=OPERATOR,
            target_id=admin.user_id,
            reason="command",
            details={"roles": " ".join(admin.roles)},
        )
        await self.audit.record(entry, transaction.session)
