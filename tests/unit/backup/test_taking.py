"""A segment holds all that it says, whichever server knows less."""

import pytest
from bson import Timestamp, decode, encode
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference
from pymongo.errors import ServerSelectionTimeoutError

from libs.backup.errors import BackupAheadError, OplogGapError, ServerRefusedError
from libs.backup.folder import BackupFolder
from libs.backup.streams import read_documents
from libs.backup.taking import Taking
from libs.kernel import SystemClock
from tests.unit.backup.folders import full_backup, nothing_told, segment


class Found(list):
    """What a query found; reading it may take until other entries are gone."""

    def __init__(self, entries, at_end):
        super().__init__(entries)
        self.at_end = at_end

    def sort(self, _field, _direction):
        """Return the entries, which are in their order."""
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.at_end()


class Node:
    """The oplog of one server: an entry a second."""

    def __init__(self, first, last):
        self.seconds = range(first, last + 1)
        self.first_when_read = first

    def find_one(self, *_, **__):
        """Return the oldest entry."""
        return entry(self.seconds[0])

    def find(self, query):
        """Find what lies between two moments."""
        after, until = query["ts"]["$gt"].time, query["ts"]["$lte"].time
        return Found(
            [entry(one) for one in self.seconds if after < one <= until], self._roll
        )

    def _roll(self):
        self.seconds = range(self.first_when_read, self.seconds[-1] + 1)


class ReplicaSet:
    """A primary, and a secondary that is preferred."""

    read_preference = ReadPreference.SECONDARY_PREFERRED

    def __init__(self, primary, secondary):
        self.primary, self.secondary = primary, secondary

    def __getitem__(self, _name):
        return self

    def command(self, _name, **_):
        """Answer `hello`."""
        last = Timestamp(self.primary.seconds[-1], 1)
        return {"lastWrite": {"majorityOpTime": {"ts": last}}}

    def get_collection(self, _name, read_preference=None, **_):
        """Return the oplog of the server that is to be read."""
        is_primary = read_preference == ReadPreference.PRIMARY
        return self.primary if is_primary else self.secondary


class Unreachable:
    """A set that does not answer."""

    def start_session(self, **_):
        """Fail."""
        raise ServerSelectionTimeoutError


def entry(second):
    """Return an entry of the oplog."""
    return RawBSONDocument(
        encode({"ts": Timestamp(second, 1), "op": "i", "ns": "parley_chat.messages"})
    )


def taking(folder, primary, secondary):
    """Return what takes segments of a set, after a full backup at 100."""
    full_backup(folder, 100, {"_id": 1})
    client = ReplicaSet(primary, secondary)
    return Taking(client, folder, "parley_", None, SystemClock(), nothing_told)


def test_a_secondary_that_lags_makes_no_hole(tmp_path):
    """What a segment says to cover is in it, though the secondary had less."""
    folder = BackupFolder(tmp_path)
    taken = taking(folder, Node(90, 110), Node(90, 105)).take_segment()
    entries = read_documents(folder.oplog, taken.file)
    assert [decode(one)["ts"].time for one in entries] == list(range(101, 111))
    assert taken.end == Timestamp(110, 1)


def test_entries_that_go_while_they_are_read_are_a_gap(tmp_path):
    """The oplog reached back at first; what was read from it may lack its beginning."""
    folder, primary = BackupFolder(tmp_path), Node(90, 110)
    primary.first_when_read = 104
    with pytest.raises(OplogGapError):
        taking(folder, primary, primary).take_segment()
    assert folder.segments().whole == []


def test_a_backup_that_failed_keeps_no_room(tmp_path):
    """The next one begins without it, even if it will fail too."""
    folder = BackupFolder(tmp_path)
    (full_backup(folder, 200, {"_id": 2}) / "manifest.json").unlink()
    full_backup(folder, 100, {"_id": 1})
    client = Unreachable()
    failing = Taking(client, folder, "parley_", None, SystemClock(), nothing_told)
    with pytest.raises(ServerRefusedError):
        failing.take_full()
    [kept] = folder.full.iterdir()
    assert kept.name.endswith("-100.1")


@pytest.mark.parametrize("kind", ["full", "segment"])
def test_a_server_behind_the_backups_is_refused(tmp_path, kind):
    """What it holds would never be the newest; nor would a segment hold anything."""
    folder, node = BackupFolder(tmp_path), Node(90, 110)
    if kind == "full":
        full_backup(folder, 10_000)
    taken = taking(folder, node, node)
    if kind == "segment":
        segment(folder, 100, 10_000)
    with pytest.raises(BackupAheadError, match=r"10000\.1.*110\.1"):
        taken.take_segment()
    assert len(list(folder.oplog.glob("*.json"))) == (kind == "segment")


def test_a_server_that_lags_a_little_is_not_behind(tmp_path):
    """After a failover a primary may not know yet what a majority has."""
    folder, node = BackupFolder(tmp_path), Node(90, 110)
    taken = taking(folder, node, node)
    segment(folder, 100, 120)
    assert taken.take_segment().end == Timestamp(120, 1)
