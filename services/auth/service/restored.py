"""After a restore: nobody is signed in by what an older database says (BK-1)."""

from dataclasses import dataclass

import structlog

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import EventBus, Transaction
from libs.kernel import Clock
from services.auth.ports import RestoreRepository
from services.auth.service.appointment import OPERATOR

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RestoredSignIns:
    """Ends, before auth serves anybody, every sign-in that came from a backup.

    A backup does not know which of them ended after it was taken, so all end; people
    sign in again. Killed anywhere, the next start does it again.
    """

    bus: EventBus
    restores: RestoreRepository
    audit: AuditTrail
    clock: Clock

    async def end(self) -> None:
        """End them if the database was restored since the last start.

        No event tells of it: whoever watches sessions asks for what has ended when it
        starts, and every service starts after a restore.
        """
        restore = await self.restores.unhandled()
        if restore is None:
            return
        ended = await self.restores.end_sign_ins(restore, self.clock.now())
        entry = AuditEntry(
            action="sessions.ended_by_restore",
            actor_id=OPERATOR,
            target_id=restore.restore_id,
            details={
                "sessions": ended.sessions,
                "personal_tokens": ended.personal_tokens,
            },
        )

        async def note(transaction: Transaction) -> None:
            await self.restores.note_handled(restore, transaction.session)
            await self.audit.record(entry, transaction.session)

        await self.bus.run_transaction(note)
        _log.warning(
            "sessions_ended_by_restore",
            sessions=ended.sessions,
            personal_tokens=ended.personal_tokens,
        )
