"""AU-1: whatever is done to ten thousand records, the first bad number is named."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.chassis.audit.chain import record_hash
from libs.kernel import new_id
from tests.integration.chassis.audit.conftest import opened_audit

pytestmark = pytest.mark.integration
COUNT = 10_000
PLACE = 4_321


class Tampered:
    """A chain of ten thousand, and how a thief of the database changes it."""

    def __init__(self, audited):
        self.audited = audited
        self.records = audited.audit["records"]
        self.chain = audited.audit["chain"]
        self.kept = audited.client[f"{audited.audit.name}_kept"]

    async def fill(self):
        """Write ten thousand records and seal them, with checkpoints on the way."""
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        documents = [
            {"_id": new_id(), "at": moment, "action": "test.done", "actor_id": f"{n}"}
            for n in range(COUNT)
        ]
        sealer = self.audited.sealer("a")
        for start in range(0, COUNT, 2_500):
            part = documents[start : start + 2_500]
            await self.records.insert_many(part)
            waiting = [{"_id": one["_id"], "hash": record_hash(one)} for one in part]
            await self.audited.audit["pending"].insert_many(waiting)
            await sealer.step()

    async def edit(self):
        """Change what a record says."""
        link = await self.chain.find_one({"_id": PLACE})
        await self.records.update_one(
            {"_id": link["record_id"]}, {"$set": {"actor_id": "somebody else"}}
        )

    async def edit_with_its_link(self):
        """Change a record and everything in its link that needs no key."""
        await self.edit()
        link = await self.audited.store.link(PLACE)
        hashes = await self.audited.store.record_hashes([link.record_id])
        forged = replace(link, record_hash=hashes[link.record_id])
        await self.chain.update_one(
            {"_id": PLACE},
            {
                "$set": {
                    "record_hash": forged.record_hash,
                    "hash": forged.hash_for("auth"),
                }
            },
        )

    async def delete(self):
        """Remove a record, and its link too."""
        link = await self.chain.find_one_and_delete({"_id": PLACE})
        await self.records.delete_one({"_id": link["record_id"]})

    async def delete_and_close_the_gap(self):
        """Remove a record and number the rest anew."""
        await self.delete()
        following = await self.chain.find({"_id": {"$gt": PLACE}}).sort("_id").to_list()
        await self.chain.delete_many({"_id": {"$gt": PLACE}})
        await self.chain.insert_many(
            [link | {"_id": link["_id"] - 1} for link in following]
        )

    async def reorder(self):
        """Let two links change places."""
        two = await self.chain.find({"_id": {"$in": [PLACE, PLACE + 1]}}).to_list()
        await self.chain.delete_many({"_id": {"$in": [PLACE, PLACE + 1]}})
        swapped = {PLACE: PLACE + 1, PLACE + 1: PLACE}
        await self.chain.insert_many(
            [link | {"_id": swapped[link["_id"]]} for link in two]
        )

    async def insert(self):
        """Add a record as if it had been there."""
        link = await self.chain.find_one({"_id": PLACE - 1})
        forged = link["record_id"][:-4] + "ffff"
        await self.records.insert_one({"_id": forged, "action": "user.promoted"})

    async def cut(self):
        """Remove the end: links and records."""
        gone = await self.chain.find({"_id": {"$gte": PLACE}}).to_list()
        await self.chain.delete_many({"_id": {"$gte": PLACE}})
        ids = [link["record_id"] for link in gone]
        await self.records.delete_many({"_id": {"$in": ids}})

    async def restore(self):
        """Bring back a database of before, and go on from there."""
        await self.cut()
        for number in range(3):
            document = {"_id": new_id(), "action": "test.done", "actor_id": f"{number}"}
            await self.records.insert_one(document)
            waiting = {"_id": document["_id"], "hash": record_hash(document)}
            await self.audited.audit["pending"].insert_one(waiting)
        lease = self.audited.database["leases"]
        await lease.update_one({}, [{"$set": {"until": "$$NOW"}}])
        await self.audited.sealer("b").step()


async def _copy(source, target):
    for name in ("records", "chain"):
        await source[name].aggregate(
            [{"$match": {}}, {"$out": {"db": target.name, "coll": name}}]
        )


@pytest.fixture(scope="module")
def whole(stack, tmp_path_factory):
    """A sealed chain; every test leaves it as it was, by a copy."""
    folder = tmp_path_factory.mktemp("audit")
    entered = opened_audit(stack, folder)
    with asyncio.Runner() as runner:

        async def fill():
            tampered = Tampered(await entered.__aenter__())
            await tampered.fill()
            await _copy(tampered.audited.audit, tampered.kept)
            return tampered

        tampered = runner.run(fill())
        yield runner, tampered
        runner.run(tampered.audited.client.drop_database(tampered.kept.name))
        runner.run(entered.__aexit__(None, None, None))


TRICKS = [
    ("edit", PLACE, "record_changed"),
    ("edit_with_its_link", PLACE, "link_changed"),
    ("delete", PLACE, "link_missing"),
    ("delete_and_close_the_gap", PLACE, "link_misplaced"),
    ("reorder", PLACE, "link_misplaced"),
    ("insert", PLACE, "record_unchained"),
    ("cut", PLACE, "end_missing"),
    ("restore", PLACE + 3, "end_missing"),
]


def test_au_1_ten_thousand_untouched_records_are_whole(whole):
    """No false alarm: every link, record and checkpoint fits."""
    runner, tampered = whole
    verdict = runner.run(tampered.audited.verify())
    assert verdict.is_whole
    assert (verdict.links, verdict.head, verdict.first_bad_seq) == (COUNT, COUNT, None)
    assert verdict.checkpoints >= 4


@pytest.mark.parametrize(("trick", "seq", "kind"), TRICKS)
def test_au_1_first_bad_seq_is_named(whole, trick, seq, kind):
    """AU-1: each way to lie about the past is found, at the right number."""
    runner, tampered = whole

    async def run():
        audited = tampered.audited
        checkpoints = audited.file.read_text()
        try:
            await getattr(tampered, trick)()
            return await audited.verify()
        finally:
            audited.file.write_text(checkpoints)
            await _copy(tampered.kept, audited.audit)

    verdict = runner.run(run())
    assert not verdict.is_whole
    assert kind in {finding.kind for finding in verdict.findings}
    assert verdict.first_bad_seq == seq
