"""An audit of its own on the real server, as the administrator prepares it."""

from contextlib import asynccontextmanager

import pytest
from pymongo import AsyncMongoClient

from libs.chassis.audit import AuditKeys, AuditSealer, FileCheckpointSink
from libs.chassis.audit.checkpoints import read_checkpoints
from libs.chassis.audit.mongo import MongoAuditTrail, MongoChainStore
from libs.chassis.audit.rights import audit_database_of, prepare_audit
from libs.chassis.audit.verifier import verify_chain
from libs.chassis.lease import MongoLease
from libs.crypto import KeyRing
from libs.kernel import SystemClock, new_id


class Audited:
    """A service's audit in a database that nobody else uses."""

    def __init__(self, client, name, folder):
        self.client = client
        self.database = client[name]
        self.audit = client[audit_database_of(name)]
        self.trail = MongoAuditTrail(self.database, "auth")
        self.store = MongoChainStore(self.database)
        self.keys = AuditKeys(KeyRing.generate())
        self.file = folder / f"{name}.jsonl"

    def sealer(self, holder):
        """Return a sealer of one process."""
        return AuditSealer(
            "auth",
            store=self.store,
            keys=self.keys,
            sink=FileCheckpointSink(self.file),
            lease=MongoLease(self.database, "audit-sealer", holder),
            clock=SystemClock(),
        )

    async def verify(self):
        """Verify the whole chain against the checkpoints."""
        return await verify_chain(
            "auth", self.store, self.keys, read_checkpoints([self.file])
        )


@asynccontextmanager
async def opened_audit(stack, folder):
    """Open an audit and drop it at the end."""
    async with AsyncMongoClient(stack.admin_mongo_url, tz_aware=True) as client:
        made = Audited(client, f"test_audit_{new_id()[-12:]}", folder)
        await prepare_audit(made.audit)
        await prepare_audit(made.audit)
        try:
            yield made
        finally:
            await made.audit.command("dropAllRolesFromDatabase")
            await client.drop_database(made.audit.name)
            await client.drop_database(made.database.name)


@pytest.fixture
async def audited(stack, tmp_path):
    """An empty audit."""
    async with opened_audit(stack, tmp_path) as made:
        yield made
