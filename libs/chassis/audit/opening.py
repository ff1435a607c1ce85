"""Puts trail and sealer of a service together."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libs.chassis.audit.chain import AuditKeys
from libs.chassis.audit.checkpoints import FileCheckpointSink
from libs.chassis.audit.mongo import MongoAuditTrail, MongoChainStore
from libs.chassis.audit.sealer import LEASE_TTL, AuditSealer
from libs.chassis.lease import MongoLease
from libs.chassis.settings import AuditedServiceSettings
from libs.chassis.tasks import TaskSupervisor
from libs.crypto import WatchedKeyRing
from libs.kernel import Clock, SystemClock

if TYPE_CHECKING:
    from pymongo.asynchronous.database import AsyncDatabase

_LEASE = "audit-sealer"


async def open_audit(
    settings: AuditedServiceSettings,
    database: "AsyncDatabase[dict[str, Any]]",
    stack: AsyncExitStack,
    clock: Clock | None = None,
) -> MongoAuditTrail:
    """Open a service's trail and seal in the background until the stack closes.

    Args:
        settings: The service's.
        database: The service's own; the audit's is beside it.
        stack: Closed at the service's end, before the database is.
        clock: Wall clock; the system's if left out.

    Raises:
        KeyRingError: The file is no key ring.
    """
    clock = clock or SystemClock()
    service = settings.service_name()
    sealer = AuditSealer(
        service,
        store=MongoChainStore(database),
        keys=AuditKeys(WatchedKeyRing(settings.audit_keys_file)),
        sink=FileCheckpointSink(checkpoints_file(settings)),
        lease=MongoLease(database, _LEASE, settings.instance_id, ttl=LEASE_TTL),
        clock=clock,
    )
    stack.push_async_callback(sealer.finish)
    tasks = await stack.enter_async_context(TaskSupervisor(clock))
    tasks.start("audit-sealer", sealer.run)
    return MongoAuditTrail(database, service, clock)


def checkpoints_file(settings: AuditedServiceSettings) -> Path:
    """Return where checkpoints are kept."""
    if settings.audit_checkpoints_file is not None:
        return settings.audit_checkpoints_file
    return settings.data_dir / "audit-checkpoints.jsonl"
