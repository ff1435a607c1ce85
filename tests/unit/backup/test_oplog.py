"""Entries of the oplog become changes in the order of their commits."""

import pytest
from bson import Int64, Timestamp, encode

from libs.backup.errors import OperationUnsupportedError
from libs.backup.oplog import Oplog


def entry(seconds, kind="i", namespace="parley_chat.messages", **more):
    """Return an entry as bytes."""
    body = {"_id": seconds}
    return encode(
        {"ts": Timestamp(seconds, 1), "op": kind, "ns": namespace, "o": body} | more
    )


def transaction(seconds, number, ids, **more):
    """Return a transaction's entry with inserts of these ids."""
    operations = [
        {"op": "i", "ns": "parley_chat.messages", "o": {"_id": one}} for one in ids
    ]
    return entry(
        seconds,
        "c",
        "admin.$cmd",
        o={"applyOps": operations} | more,
        lsid={"id": b"session"},
        txnNumber=Int64(number),
    )


def seen(*entries, after=0, until=1000):
    """Return moment and id of each change."""
    oplog = Oplog("parley_", Timestamp(after, 1), Timestamp(until, 1))
    changes = oplog.changes(entries)
    return [(change.at.time, change.body["_id"]) for change in changes]


def test_changes_of_others_are_left_out():
    """Only databases of the installation, and no notes of the server's own."""
    assert seen(entry(1), entry(2, namespace="other.things")) == [(1, 1)]


def test_a_transaction_shows_when_it_commits():
    """Its parts wait for the last one; what committed between them comes first."""
    entries = [
        transaction(1, 1, [10, 11], partialTxn=True),
        entry(2),
        transaction(3, 2, [20]),
        transaction(4, 1, [12]),
    ]
    assert seen(*entries) == [(2, 2), (3, 20), (4, 10), (4, 11), (4, 12)]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ({"renameCollection": "parley_chat.a"}, "renameCollection"),
        ({"collMod": "a", "index": {"name": "x"}}, "collMod"),
        ({"convertToCapped": "a"}, "convertToCapped"),
    ],
)
def test_what_cannot_be_repeated_is_named(command, name):
    """No service does it; a restore across it is refused before it begins."""
    with pytest.raises(OperationUnsupportedError, match=name):
        seen(entry(1, "c", "parley_chat.$cmd", o=command))


def test_what_need_not_be_repeated_is_no_hindrance():
    """Before the backup, or behind the moment that is asked for."""
    rename = {"renameCollection": "parley_chat.a", "_id": 0}
    entries = [entry(number, "c", "parley_chat.$cmd", o=rename) for number in (1, 9)]
    assert seen(*entries, after=1, until=8) == [(1, 0)]


def test_what_two_segments_have_is_read_once():
    """They may overlap; nothing is repeated twice."""
    assert seen(entry(1), entry(2), entry(1), entry(2), entry(3)) == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]


def test_a_transaction_over_shards_is_refused():
    """Its commit stands elsewhere."""
    with pytest.raises(OperationUnsupportedError):
        seen(transaction(1, 1, [1], prepare=True))
