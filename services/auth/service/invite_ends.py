"""The end of what somebody sent who may not invite any more."""

from dataclasses import dataclass

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import Transaction
from libs.kernel import UserId
from services.auth.ports import InviteRepository
from services.auth.service.links import OneTimeLinks


@dataclass(frozen=True)
class InviteEnds:
    """Voids invitations inside the transaction that shuts their sender out."""

    invites: InviteRepository
    links: OneTimeLinks
    audit: AuditTrail

    async def end_in(
        self, transaction: Transaction, inviter_id: UserId, *, actor_id: UserId
    ) -> None:
        """Void all invitations of somebody for good, as one record.

        Who is let in again invites anew: what was sent by a hand that was shut out
        does not come back with them.
        """
        session = transaction.session
        ids = await self.invites.remove_of(inviter_id, session)
        if not ids:
            return
        for invite_id in ids:
            await self.links.void(transaction, invite_id)
        entry = AuditEntry(
            action="invite.revoked",
            actor_id=actor_id,
            target_id=inviter_id,
            reason="inviter_shut_out",
            details={"count": len(ids)},
        )
        await self.audit.record(entry, session)
