"""``retention run``: forget now what the service would forget at its next look."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

import msgspec

from libs.chassis.bus import bus_settings
from libs.chassis.lease import MongoLease
from libs.chassis.mongo import open_mongo
from libs.chassis.progress import Progress, show
from libs.chassis.tasks import CoroutineFunction
from libs.events.rabbitmq import open_bus
from libs.kernel import SystemClock, new_id
from services.chat.operations.opening import open_vault
from services.chat.operations.recording import record_command
from services.chat.repository import MongoConversationRepository, SenderMarkers
from services.chat.repository.retention import MongoRetentionStore
from services.chat.service.outside import Outside
from services.chat.service.retention import Retention
from services.chat.settings import ChatSettings

if TYPE_CHECKING:  # the driver stays in the adapters; this is its name alone
    from pymongo.asynchronous.database import AsyncDatabase

LEASE = "retention"


def keeping(
    settings: ChatSettings, outside: Outside, database: "AsyncDatabase[dict[str, Any]]"
) -> CoroutineFunction:
    """Return the service's background task: one process at a time forgets."""
    retention = Retention(
        outside.bus,
        outside.conversations,
        MongoRetentionStore(database),
        outside.clock,
        default_days=settings.retention_days,
        forget=outside.writer.forget,
    )
    lease = MongoLease(database, LEASE, settings.instance_id)
    return lambda: retention.keep(lease, settings.retention_interval_seconds)


async def run(arguments: Namespace, settings: ChatSettings) -> int:
    """Forget, or tell what would be; its events leave through the service's outbox."""
    clock = SystemClock()
    # A name of its own: the service's instance owns its queues and its relay.
    own = settings.model_copy(update={"instance_id": f"retention-{new_id()[-12:]}"})
    async with (
        open_mongo(settings) as database,
        open_vault(settings) as vault,
        open_bus(bus_settings(own), database) as bus,
    ):
        retention = Retention(
            bus,
            MongoConversationRepository(database, vault, SenderMarkers(database)),
            MongoRetentionStore(database),
            clock,
            default_days=settings.retention_days,
            forget=lambda _: None,
        )
        report, is_dry_run = Progress(clock), arguments.is_dry_run
        lease = MongoLease(database, LEASE, own.instance_id)
        if not is_dry_run:
            await record_command(
                database,
                "retention.started",
                default_days=settings.retention_days or 0,
            )
        result = await lease.run(lambda: retention.run(report, is_dry_run=is_dry_run))
    show({**msgspec.to_builtins(result), "is_dry_run": is_dry_run})
    return 0
