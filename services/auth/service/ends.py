"""What is told of the end of a session, or of a personal token, as it happens."""

from libs.chassis.audit import AuditEntry, AuditTrail
from libs.events import Transaction
from libs.events.catalog import SessionRevoked
from services.auth.domain import (
    RevokeReason,
    Session,
)


async def tell_end_in(
    transaction: Transaction,
    audit: AuditTrail,
    ended: Session,
    reason: RevokeReason,
    *,
    action: str,
    actor_id: str,
) -> None:
    """Publish and record an end in the transaction of what ended it.

    Args:
        transaction: The action's.
        audit: Keeps the record.
        ended: The session; for a personal token, the one that it leaves.
        reason: Why.
        action: As the audit names it.
        actor_id: Who ended it; empty for its own user.

    Emits: session.revoked.
    """
    transaction.publish(
        SessionRevoked(
            user_id=ended.user_id, session_id=ended.session_id, reason=reason.value
        )
    )
    entry = AuditEntry(
        action=action,
        actor_id=actor_id or ended.user_id,
        target_id=ended.session_id,
        on_behalf_of=ended.user_id if actor_id else "",
        reason=reason.value,
    )
    await audit.record(entry, transaction.session)
