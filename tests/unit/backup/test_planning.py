"""Which backup and which segments lead to a moment, and what retention leaves."""

from datetime import UTC, datetime

import pytest
from bson import Timestamp

from libs.backup.errors import (
    BackupDamagedError,
    BackupMissingError,
    BackupRunningError,
    PointUncoveredError,
)
from libs.backup.manifest import BackupFolder
from libs.backup.moments import moment_of, text_of
from libs.backup.planning import plan_for
from libs.backup.retention import prune
from libs.kernel import InvalidError
from tests.unit.backup.folders import full_backup, segment


@pytest.fixture
def folder(tmp_path):
    """Return two full backups, and segments with a hole between 400 and 500."""
    folder = BackupFolder(tmp_path)
    full_backup(folder, 100, {"_id": 1})
    segment(folder, 100, 200)
    segment(folder, 200, 300)
    full_backup(folder, 300, {"_id": 2})
    segment(folder, 300, 400)
    segment(folder, 500, 600)
    return folder


@pytest.mark.parametrize(
    ("point", "place", "segments"),
    [
        (Timestamp(100, 1), "at-100", 0),
        (Timestamp(150, 0), "at-100", 1),
        (Timestamp(299, 9), "at-100", 2),
        (Timestamp(300, 1), "at-300", 0),
        (Timestamp(301, 0), "at-300", 1),
        (None, "at-300", 1),
    ],
)
def test_the_nearest_backup_before_a_moment_leads_there(folder, point, place, segments):
    """With as few segments as needed; the last moment is where the chain ends."""
    plan = plan_for(folder, point)
    assert (plan.place.name, len(plan.segments)) == (place, segments)
    assert plan.until == (point or Timestamp(400, 1))


@pytest.mark.parametrize("point", [Timestamp(99, 0), Timestamp(450, 0)])
def test_what_nothing_leads_to_is_refused(folder, point):
    """Before the first backup, and behind a hole; the error says what is covered."""
    with pytest.raises(PointUncoveredError) as raised:
        plan_for(folder, point)
    assert "400.1" in raised.value.details["last"]


def test_what_is_not_needed_may_be_damaged(folder):
    """A month's thousands of older segments are not even read."""
    (folder.oplog / "100.1-200.1.json").write_text("{")
    assert plan_for(folder, Timestamp(350, 0)).place.name == "at-300"
    assert folder.last_segment().end == Timestamp(600, 1)
    with pytest.raises(BackupDamagedError):
        plan_for(folder, Timestamp(150, 0))


def test_an_empty_folder_is_refused(tmp_path):
    """There is nothing to begin with."""
    with pytest.raises(BackupMissingError):
        plan_for(BackupFolder(tmp_path), None)


def test_retention_keeps_what_a_kept_moment_needs(folder):
    """The backup before the oldest kept moment stays, what is older goes."""
    pruned = prune(folder, datetime.fromtimestamp(350, UTC))
    assert (pruned.full, pruned.segments) == (1, 2)
    assert plan_for(folder, Timestamp(350, 0)).place.name == "at-300"


def test_retention_keeps_the_last_backup_however_old(folder):
    """A year without a backup is no reason to throw the last one away."""
    prune(folder, datetime.fromtimestamp(10_000_000, UTC))
    assert plan_for(folder, None).until == Timestamp(400, 1)


def test_retention_removes_nothing_that_is_young(folder):
    """All of it may still be asked for."""
    pruned = prune(folder, datetime.fromtimestamp(100, UTC))
    assert (pruned.full, pruned.segments) == (0, 0)


def test_what_an_interrupted_command_left_is_removed(folder):
    """A backup without its manifest, a segment without one: neither is ever used."""
    (full_backup(folder, 700) / "manifest.json").unlink()
    (folder.oplog / "600.1-700.1.bson.gz").write_bytes(b"half")
    (folder.oplog / ".600.1-700.1.bson.gz.part").write_bytes(b"half")
    prune(folder, datetime.fromtimestamp(100, UTC))
    assert {path.name for path in folder.full.iterdir()} == {"at-100", "at-300"}
    assert not list(folder.oplog.glob("*600.1-700.1*"))


def test_two_of_a_kind_are_refused(folder):
    """One of each may be taken at a time."""
    with (
        folder.alone("full"),
        folder.alone("segment"),
        pytest.raises(BackupRunningError),
        folder.alone("full"),
    ):
        pass


def test_a_moment_is_read_as_it_is_written():
    """Exactly, and as a time of day up to the end of its second."""
    assert moment_of(text_of(Timestamp(5, 7))) == Timestamp(5, 7)
    assert moment_of("1970-01-01T00:00:05Z") > Timestamp(5, 1_000_000)
    assert moment_of("1970-01-01T00:00:05+00:00") < Timestamp(6, 0)


@pytest.mark.parametrize("text", ["yesterday", "2026-11-30T21:00:00", "5", ""])
def test_a_moment_that_could_mean_two_is_refused(text):
    """A time without its zone is one of them."""
    with pytest.raises(InvalidError):
        moment_of(text)
