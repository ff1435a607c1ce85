"""What the audit keeps of what an operator does by command."""

from typing import TYPE_CHECKING, Any, Final

from libs.chassis.audit import AuditEntry
from libs.chassis.audit.mongo import MongoAuditTrail

if TYPE_CHECKING:  # the driver stays in the adapters; this is its name alone
    from pymongo.asynchronous.database import AsyncDatabase

OPERATOR: Final = "operator"


async def record_command(
    database: "AsyncDatabase[dict[str, Any]]",
    action: str,
    *,
    target_id: str = "",
    **details: str | int | bool,
) -> None:
    """Record what a command is about to do, or has done.

    Args:
        database: Chat's own.
        action: As the audit names it.
        target_id: Id of what it is done to.
        details: Ids, slugs and numbers.

    Raises:
        UnavailableError: It cannot be recorded: it must not happen.
    """
    entry = AuditEntry(
        action=action, actor_id=OPERATOR, target_id=target_id, details=details
    )
    await MongoAuditTrail(database, "chat").record(entry, None)
