"""What is made of a right password after several wrong ones."""

from dataclasses import dataclass

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import Transaction
from libs.events.catalog import AccountPasswordGuessed
from services.auth.domain import (
    ClientDevice,
    User,
    clean_device_name,
)
from services.auth.domain.guess import WRONG_TOLD, network_of
from services.auth.ports import SessionRepository
from services.auth.service.notices import AccountNotices


@dataclass(frozen=True)
class LateSuccess:
    """Records it, and tells the owner where the device is a new one."""

    sessions: SessionRepository
    notices: AccountNotices
    audit: AuditTrail

    async def note_in(
        self,
        transaction: Transaction,
        user: User,
        device: ClientDevice,
        wrong_before: int,
    ) -> None:
        """Note it in the transaction that acts on the password.

        A device is known by its name and network together: a name alone is what a
        client says of itself, and many share a network.

        Args:
            transaction: The sign-in's.
            user: Whose password it is.
            device: Where it came from.
            wrong_before: How many were wrong; few are a slip of the fingers.

        Emits: account.password_guessed.
        """
        if wrong_before < WRONG_TOLD:
            return
        is_new = not await self._is_known(user, device, transaction)
        entry = AuditEntry(
            action="password.guessed",
            actor_id=user.user_id,
            source=device.address,
            details={"wrong_before": wrong_before, "is_new_device": is_new},
        )
        await self.audit.record(entry, transaction.session)
        if is_new:
            self.notices.tell(
                transaction,
                AccountPasswordGuessed,
                user,
                {"email": user.email.written},
                wrong_before=wrong_before,
            )

    async def _is_known(
        self, user: User, device: ClientDevice, transaction: Transaction
    ) -> bool:
        name, network = clean_device_name(device.name), network_of(device.address)
        return any(
            network_of(address) == network
            for address in await self.sessions.addresses_of(
                user.user_id, name, transaction.session
            )
        )
