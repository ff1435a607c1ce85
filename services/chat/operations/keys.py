"""``keys status|rotate``: which key-encryption keys wrap the data keys."""

from argparse import Namespace
from datetime import timedelta

import msgspec

from libs.chassis.lease import MongoLease
from libs.chassis.mongo import open_mongo
from libs.chassis.progress import Progress, show
from libs.kernel import SystemClock, new_id
from services.chat.operations.opening import open_data_keys
from services.chat.operations.recording import record_command
from services.chat.repository.key_store import MongoDataKeyStore
from services.chat.service.key_rotation import KeyRotation, RotationResult
from services.chat.settings import ChatSettings

_LEASE = "key-rotation"


async def status(_: Namespace, settings: ChatSettings) -> int:
    """Show what is wrapped under what; 1 where `rotate` has something to do."""
    clock = SystemClock()
    async with open_mongo(settings) as database, open_data_keys(settings) as data_keys:
        rotation = KeyRotation(MongoDataKeyStore(database), data_keys, clock)
        found = await rotation.status(
            revisions=settings.data_key_changes,
            age=timedelta(days=settings.data_key_days),
        )
    show(msgspec.to_builtins(found))
    return 1 if found.keys_to_rewrap else 0


async def rotate(arguments: Namespace, settings: ChatSettings) -> int:
    """Re-wrap all data keys, or try; 1 where some are left."""
    clock = SystemClock()
    report = Progress(clock)
    async with open_mongo(settings) as database, open_data_keys(settings) as data_keys:
        rotation = KeyRotation(MongoDataKeyStore(database), data_keys, clock)

        async def work() -> RotationResult:
            rate = arguments.keys_per_second
            return await rotation.rotate(report, keys_per_second=rate)

        if arguments.is_dry_run:
            result = await rotation.rehearse(report)
            show({**msgspec.to_builtins(result), "is_dry_run": True})
            return 1 if result.failed else 0
        await record_command(
            database, "data_keys.rotation_started", kek_id=data_keys.current_id
        )
        holder = f"{settings.instance_id}:{new_id()}"
        result = await MongoLease(database, _LEASE, holder).run(work)
        await record_command(
            database,
            "data_keys.rotated",
            kek_id=data_keys.current_id,
            **msgspec.to_builtins(result),
        )
    show(msgspec.to_builtins(result))
    return 1 if result.left else 0
