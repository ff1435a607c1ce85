"""Bytes of an act in an audit: its record and its link, numbered and chained."""

import tempfile
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from bench.capacity.disk import Disk, grown
from bench.events.servers import open_place
from deploy.embedded.layout import Stack
from libs.chassis.audit import (
    AuditEntry,
    AuditKeys,
    AuditSealer,
    FileCheckpointSink,
)
from libs.chassis.audit.mongo import MongoAuditTrail, MongoChainStore
from libs.chassis.audit.rights import audit_database_of, prepare_audit
from libs.chassis.lease import MongoLease
from libs.crypto import KeyRing
from libs.kernel import SystemClock, new_id


async def bytes_of_an_act(stack: Stack, count: int) -> dict[str, float]:
    """Return what a sign-in's record takes, by collection."""
    async with (
        open_place(stack, "auth", "bench-capacity-audit") as place,
        AsyncMongoClient[dict[str, Any]](place.mongo_url, tz_aware=True) as client,
    ):
        audit = client[audit_database_of(place.database)]
        await prepare_audit(audit)
        try:
            disk = Disk(client, audit.name)
            before = await disk.taken()
            trail = MongoAuditTrail(client[place.database], "auth")
            for _ in range(count):
                async with client.start_session() as session, await begun(session):
                    await trail.record(sign_in(), session)
            await seal(client, place.database)
            return grown(before, await disk.taken(), count)
        finally:
            await audit.command("dropAllRolesFromDatabase")
            await client.drop_database(audit.name)


async def begun(session: Any) -> Any:  # noqa: ANN401 - the driver's
    """Return a transaction that has begun."""
    return await session.start_transaction()


def sign_in() -> AuditEntry:
    """Return the act of which there are most."""
    return AuditEntry(
        action="session.started",
        actor_id=new_id(),
        session_id=new_id(),
        source="192.0.2.1",
        details={"method": "password"},
    )


async def seal(client: AsyncMongoClient[dict[str, Any]], name: str) -> None:
    """Give every record its number."""
    database = client[name]
    with tempfile.TemporaryDirectory() as folder:
        sealer = AuditSealer(
            "auth",
            store=MongoChainStore(database),
            keys=AuditKeys(KeyRing.generate()),
            sink=FileCheckpointSink(Path(folder) / "checkpoints.jsonl"),
            lease=MongoLease(database, "audit-sealer", "bench"),
            clock=SystemClock(),
        )
        await sealer.step()
        await sealer.finish()
