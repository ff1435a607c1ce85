"""The sealer, the lease and the rights on the real server."""

import asyncio
import json
from datetime import timedelta

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from libs.chassis.audit import AuditEntry, PendingRecord
from libs.chassis.audit.chain import ORIGIN, ChainLink, whole_milliseconds
from libs.chassis.audit.errors import ChainMovedError
from libs.chassis.audit.memory import MemoryChainStore
from libs.chassis.lease import MongoLease
from libs.kernel import SystemClock

pytestmark = pytest.mark.integration
NOW = whole_milliseconds(SystemClock().now())


async def _until_sealed(audited, seq):
    async with asyncio.timeout(15):
        while (head := await audited.store.head()) is None or head.seq < seq:  # noqa: ASYNC110 - it is on the server
            await asyncio.sleep(0.02)


def _link(seq, record_id):
    return ChainLink(
        seq=seq,
        record_id=record_id,
        record_hash="h",
        previous=ORIGIN,
        epoch=1,
        key_id="k",
        sealed_at=NOW,
    )


@pytest.fixture(params=["memory", "mongo"])
async def chain(request, audited):
    """A chain and how records come to wait in it."""
    if request.param == "memory":
        store = MemoryChainStore()

        async def wait(record_id):
            store.waiting[record_id] = PendingRecord(record_id, "h")

        return store, wait

    async def insert(record_id):
        await audited.audit["pending"].insert_one({"_id": record_id, "hash": "h"})

    return audited.store, insert


async def test_chain_store_appends_all_or_nothing(chain):
    """One contract: a number once, a record once, and nothing by halves."""
    store, wait = chain
    assert await store.head() is None
    for record_id in ("b", "a", "c"):
        await wait(record_id)
    assert [row.record_id for row in await store.pending(2)] == ["a", "b"]
    first = _link(1, "a")
    await store.append([first])
    assert await store.head() == await store.link(1) == first
    for links in ([_link(2, "b"), _link(1, "c")], [_link(2, "b"), _link(3, "a")]):
        with pytest.raises(ChainMovedError):
            await store.append(links)
    assert await store.head() == first
    assert [row.record_id for row in await store.pending(9)] == ["b", "c"]


async def test_au_1_two_sealers_never_give_a_number_twice(audited):
    """Both write at once, as after a lease was lost unnoticed: the chain is whole."""

    class AlwaysHeld:
        """A lease that two believe to hold."""

        epoch = 1
        is_held = False

        async def acquire(self):
            """Believe it."""
            self.is_held = True
            return True

        async def release(self):
            """Do nothing."""

    sealers = [audited.sealer("a"), audited.sealer("b")]
    for sealer in sealers:
        sealer._lease = AlwaysHeld()
    for number in range(60):
        await audited.trail.record(AuditEntry("a.done", f"{number}"), None)
        if number % 5 == 0:
            await asyncio.gather(*(sealer.step() for sealer in sealers))
    while await audited.store.pending(1):
        await sealers[0].step()
    verdict = await audited.verify()
    assert (verdict.findings, verdict.links) == ((), 60)


async def test_au_1_record_is_sealed_within_a_second(audited):
    """A record that commits late, after others were sealed, gets its number as well."""
    sealing = asyncio.create_task(audited.sealer("a").run())
    try:
        async with (
            audited.client.start_session() as session,
            await session.start_transaction(),
        ):
            await audited.trail.record(AuditEntry("late.done", "ann"), session)
            await audited.trail.record(AuditEntry("early.done", "bob"), None)
            await _until_sealed(audited, 1)
        began = asyncio.get_running_loop().time()
        await _until_sealed(audited, 2)
        # A second is the promise; twice that, as this machine may have other work.
        assert asyncio.get_running_loop().time() - began < 2
    finally:
        sealing.cancel()
    assert (await audited.verify()).is_whole


async def test_au_2_action_that_is_rolled_back_leaves_no_record(audited):
    """The record stands or falls with its action."""
    async with audited.client.start_session() as session:
        await session.start_transaction()
        await audited.trail.record(AuditEntry("a.done", "ann"), session)
        await session.abort_transaction()
    assert await audited.store.pending(1) == []
    assert await audited.audit["records"].find_one() is None


async def test_au_2_service_may_insert_and_find_only(stack):
    """The rights of every service's own account, asked of the server."""
    for service in ("auth", "chat", "media", "project", "notification"):
        async with AsyncMongoClient(stack.database_url(service)) as client:
            audit = client[f"parley_{service}_audit"]
            for name in ("records", "chain"):
                await audit[name].find_one()
                for refused in (
                    audit[name].update_one({"_id": "none"}, {"$set": {"a": 1}}),
                    audit[name].delete_one({"_id": "none"}),
                    audit[name].drop(),
                    audit[name].create_index("at", expireAfterSeconds=1),
                ):
                    with pytest.raises(OperationFailure, match="not authorized"):
                        await refused
            await audit["pending"].delete_one({"_id": "none"})
            with pytest.raises(OperationFailure, match="not authorized"):
                await client[
                    "parley_chat_audit" if service == "auth" else "parley_auth_audit"
                ]["records"].find_one()


async def test_lease_gives_each_new_holder_a_new_epoch(audited):
    """On the server's clock: renewed by its holder, taken when it runs out."""
    ttl = timedelta(seconds=0.3)
    first = MongoLease(audited.database, "work", "a", ttl=ttl)
    second = MongoLease(audited.database, "work", "b", ttl=ttl)
    assert await first.acquire()
    assert await first.acquire()
    assert first.is_held
    assert not await second.acquire()
    assert (first.epoch, second.epoch, second.is_held) == (1, 0, False)
    async with asyncio.timeout(15):
        while not await second.acquire():  # noqa: ASYNC110 - it is on the server
            await asyncio.sleep(0.02)
    assert second.epoch == 2
    await second.release()
    assert not second.is_held
    assert await first.acquire()
    assert first.epoch == 3


async def test_au_3_no_raw_control_character_is_stored(audited):
    """Whoever prints a record prints one line."""
    hostile = "Ann\r\n\x1b[2Jroot"
    entry = AuditEntry(
        action="a.done",
        actor_id=hostile,
        target_id=hostile,
        source=hostile,
        reason=hostile,
        details={hostile: hostile},
    )
    await audited.trail.record(entry, None)
    stored = await audited.audit["records"].find_one()
    text = json.dumps(stored, default=str, ensure_ascii=False)
    raw = [str(value) for value in (*stored.values(), *stored["details"].values())]
    assert not any(bad in value for value in raw for bad in "\r\n\x1b")
    assert "Ann\\\\u{d}\\\\u{a}\\\\u{1b}[2Jroot" in text
