"""What auth recorded of a person's account, as the person may have it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from libs.chassis.audit import AuditEntry, AuditReader, AuditRecord, AuditTrail
from libs.kernel import SessionId, UserId
from services.auth.service.step_up import StepUp


@dataclass(frozen=True)
class OwnRecords:
    """Use cases of who wants all that is held on them."""

    step_up: StepUp
    trail: AuditReader
    audit: AuditTrail

    async def begin(self, user_id: UserId, session_id: SessionId, address: str) -> None:
        """Let an export begin, and record that.

        Raises:
            StepUpRequiredError: The caller's last proof is too old (MF-6).
        """
        await self.step_up.require(user_id, session_id)
        entry = AuditEntry(
            action="user.exported",
            actor_id=user_id,
            target_id=user_id,
            session_id=session_id,
            source=address,
        )
        await self.audit.record(entry, None)

    async def page(
        self, user_id: UserId, before: str | None, limit: int
    ) -> Sequence[AuditRecord]:
        """Return what the person did and what was done to them, the newest first.

        Of others it tells that they acted and when, not who, from where and why:
        that is theirs.
        """
        found = await self.trail.about(user_id, before=before, limit=limit)
        return [_shown_to(user_id, record) for record in found]


def _shown_to(user_id: UserId, record: AuditRecord) -> AuditRecord:
    if record.entry.actor_id == user_id:
        return record
    hidden = replace(record.entry, actor_id="", source="", reason="", details={})
    return replace(record, entry=hidden)
