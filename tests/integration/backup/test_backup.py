"""Backup and restore on a real replica set, while it is written to."""

import time
from datetime import UTC, datetime

import pytest
from bson import Binary, Code, Decimal128, Int64, ObjectId, Regex, Timestamp
from pymongo import IndexModel

from libs.backup.errors import (
    BackupAheadError,
    BackupDamagedError,
    BackupMissingError,
    OplogGapError,
    TargetNotEmptyError,
)
from libs.backup.folder import BackupFolder
from tests.integration.backup.conftest import balances, transfers
from tests.unit.backup.folders import full_backup

pytestmark = pytest.mark.integration

ODD = {
    "_id": ObjectId("65f0c0ffee0123456789abcd"),
    "decimal": Decimal128("1.10"),
    "long": Int64(1),
    "int": 1,
    "double": 1.0,
    "negative zero": -0.0,
    "binary": Binary(b"\0\xff", 128),
    "regex": Regex("^a", "im"),
    "code": Code("f()"),
    "time": datetime(2026, 2, 28, tzinfo=UTC),
    "moment": Timestamp(1, 2),
    "none": None,
    "nested": {"z": 1, "a": [{"y": 1, "x": 2}, []]},
    "": "an empty name",
    "text": "\0 ❤️‍🔥",
}
INDEXES = [
    IndexModel([("b", 1), ("a", -1)], name="both", unique=True),
    IndexModel("at", name="ends", expireAfterSeconds=3600),
    IndexModel("a", name="some", partialFilterExpression={"a": {"$gt": Int64(5)}}),
    IndexModel("t", name="words", collation={"locale": "de", "strength": 1}),
]
VALIDATOR = {"$jsonSchema": {"properties": {"a": {"bsonType": "int"}}}}


def waited(condition, seconds=20):
    """Wait until a condition holds."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_bk_1_a_backup_under_load_shows_one_moment(stack, installation):
    """BK-1: Sums over two databases fit, as no transaction is seen in part."""
    with transfers(stack, installation) as moved:
        waited(lambda: len(moved) > 20)
        installation.taking().take_full()
        waited(lambda: len(moved) > 60)
    restored = installation.restore()
    held, due = balances(installation, installation.beside)
    assert held == due
    assert 20 <= len(list(_moves(installation))) < len(moved)
    assert restored.documents > 40


def _moves(installation):
    return installation.database("ledger", installation.beside)["moves"].find()


def test_bk_1_a_restore_ends_at_the_moment_asked_for(stack, installation):
    """BK-1: Byte by byte what it was then, and then what it was at the end."""
    bank, taking = installation.database("bank"), installation.taking()
    taking.take_full()
    with transfers(stack, installation) as moved:
        waited(lambda: len(moved) > 20)
        taking.take_segment()
        waited(lambda: len(moved) > 40)
    bank["gone"].insert_one({"_id": 1})
    bank["accounts"].create_index("balance", name="balance")
    then = installation.now()
    wanted = {name: installation.hashes(name) for name in ("bank", "ledger")}
    _change_much(installation)
    taking.take_segment()
    end = {name: installation.hashes(name) for name in ("bank", "ledger")}
    installation.restore(then)
    beside = installation.beside
    assert {name: installation.hashes(name, beside) for name in wanted} == wanted
    indexes = installation.database("bank", beside)["accounts"].index_information()
    assert set(indexes) == {"_id_", "balance"}
    held, due = balances(installation, beside)
    assert held == due
    installation.restore()
    assert {name: installation.hashes(name, beside) for name in end} == end
    indexes = installation.database("bank", beside)["accounts"].index_information()
    assert set(indexes) == {"_id_", "tag"}


def _change_much(installation):
    """Do whatever a service may do to its database, and more than fits one entry."""
    bank = installation.database("bank")
    bank["accounts"].update_many({}, {"$set": {"tags": ["a", "b"]}})
    bank["accounts"].update_many({}, [{"$set": {"sum": {"$size": "$tags"}}}])
    bank["accounts"].update_one({"_id": 1}, {"$push": {"tags": "c"}})
    bank["accounts"].replace_one({"_id": 2}, {"other": True})
    bank["accounts"].drop_index("balance")
    bank["accounts"].create_index("tags", name="tag")
    bank["gone"].drop()
    bank["new"].create_index("n", unique=True)
    with installation.client.start_session() as session, session.start_transaction():
        for number in range(18):
            big = {"n": number, "bytes": b"x" * (1 << 20)}
            bank["new"].insert_one(big, session=session)
        bank["accounts"].delete_one({"_id": 3}, session=session)


def test_bk_1_documents_options_and_indexes_are_kept(installation):
    """BK-1: Every type of BSON, validators, collations, what an index leaves out."""
    bank = installation.database("bank")
    bank.create_collection(
        "odd", validator=VALIDATOR, collation={"locale": "fr"}, validationAction="warn"
    )
    bank["odd"].create_indexes(INDEXES)
    bank["odd"].insert_one(ODD)
    bank.create_collection("seen", viewOn="odd", pipeline=[{"$project": {"int": 1}}])
    installation.taking().take_full()
    installation.restore()
    again = installation.database("bank", installation.beside)
    assert installation.hashes("bank", installation.beside) == installation.hashes(
        "bank"
    )
    assert again["odd"].options() == bank["odd"].options()
    assert again["odd"].index_information() == bank["odd"].index_information()
    assert list(again["seen"].find()) == [{"_id": ODD["_id"], "int": 1}]


def test_bk_1_events_on_their_way_are_published_again(installation):
    """BK-1: What left the outbox a short while ago is in it again; a service is told.

    A queue may have held it at the moment that is restored, and no backup holds
    queues; whoever had handled it knows by the inbox.
    """
    outbox = installation.database("bank")["outbox"]
    outbox.insert_many([{"_id": "confirmed"}, {"_id": "waiting"}])
    outbox.delete_one({"_id": "confirmed"})
    installation.taking().take_full()
    outbox.insert_one({"_id": "later"})
    outbox.delete_many({})
    installation.taking().take_segment()
    assert installation.restore().resent == 3
    bank = installation.database("bank", installation.beside)
    found = {one["_id"] for one in bank["outbox"].find()}
    assert found == {"confirmed", "waiting", "later"}
    assert bank["restores"].find_one()["is_handled"] is False
    ledger = installation.database("ledger", installation.beside)
    assert "restores" not in ledger.list_collection_names()


def test_bk_1_a_target_with_documents_is_refused(installation):
    """BK-1: Nothing is thrown away unless it is said."""
    installation.taking().take_full()
    accounts = installation.database("bank")["accounts"]
    accounts.update_one({"_id": 1}, {"$set": {"balance": 5}})
    with pytest.raises(TargetNotEmptyError):
        installation.restore(prefix=installation.prefix, is_replacing=False)
    assert accounts.find_one({"_id": 1})["balance"] == 5
    installation.restore(prefix=installation.prefix, is_replacing=True)
    assert accounts.find_one({"_id": 1})["balance"] == 1_000


def test_bk_1_a_damaged_backup_changes_nothing(installation):
    """BK-1: Every file is read before the first collection is dropped."""
    installation.taking().take_full()
    [place] = installation.folder.full.iterdir()
    file = place / f"{installation.prefix}ledger.moves.bson.gz"
    file.write_bytes(file.read_bytes()[:-4])
    before = installation.hashes("bank")
    with pytest.raises(BackupDamagedError):
        installation.restore(prefix=installation.prefix)
    assert installation.hashes("bank") == before


def test_bk_1_a_hole_in_the_oplog_is_told(installation, tmp_path):
    """BK-1: A segment that would not join the last one is refused, not written."""
    folder = installation.folder = BackupFolder(tmp_path / "old")
    with pytest.raises(BackupMissingError):
        installation.taking().take_segment()
    full_backup(folder, 100)
    with pytest.raises(OplogGapError):
        installation.taking().take_segment()
    assert list(folder.oplog.iterdir()) == []
    installation.taking().take_full()
    assert installation.taking().take_segment().end.time > 100


def test_bk_1_a_folder_of_later_backups_is_refused(installation, tmp_path):
    """BK-1: What a set whose clock was ahead left would pass for the newest."""
    folder = installation.folder = BackupFolder(tmp_path / "later")
    later = full_backup(folder, 4_000_000_000)
    for take in (installation.taking().take_full, installation.taking().take_segment):
        with pytest.raises(BackupAheadError):
            take()
    assert list(folder.full.iterdir()) == [later]
    assert list(folder.oplog.iterdir()) == []
