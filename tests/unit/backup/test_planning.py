"""Which backup and which segments lead to a moment."""

import pytest
from bson import Timestamp

from libs.backup.errors import (
    BackupDamagedError,
    BackupMissingError,
    BackupRunningError,
    PointUncoveredError,
)
from libs.backup.folder import MANIFEST, BackupFolder
from libs.backup.moments import moment_of, text_of
from libs.backup.planning import covered, plan_for
from libs.kernel import InvalidError
from tests.unit.backup.folders import damage, full_backup, segment


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
    ("point", "full", "segments"),
    [
        (Timestamp(100, 1), 100, 0),
        (Timestamp(150, 0), 100, 1),
        (Timestamp(299, 9), 100, 2),
        (Timestamp(300, 1), 300, 0),
        (Timestamp(301, 0), 300, 1),
        (None, 300, 1),
    ],
)
def test_the_nearest_backup_before_a_moment_leads_there(folder, point, full, segments):
    """With as few segments as needed; the last moment is where the chain ends."""
    plan = plan_for(folder, point)
    assert (plan.full.moment.time, len(plan.segments)) == (full, segments)
    assert plan.until == (point or Timestamp(400, 1))


@pytest.mark.parametrize("point", [Timestamp(99, 0), Timestamp(450, 0)])
def test_what_nothing_leads_to_is_refused(folder, point):
    """Before the first backup, and behind a hole; the error says what is covered."""
    with pytest.raises(PointUncoveredError) as raised:
        plan_for(folder, point)
    assert "400.1" in raised.value.details["last"]


def test_what_is_not_needed_may_be_damaged(folder):
    """A month's thousands of older segments are not even read."""
    damaged = folder.oplog / "100.1-200.1.json"
    damaged.write_text("{")
    assert plan_for(folder, Timestamp(350, 0)).full.moment == Timestamp(300, 1)
    assert folder.last_segment().end == Timestamp(600, 1)
    with pytest.raises(PointUncoveredError) as raised:
        plan_for(folder, Timestamp(150, 0))
    assert raised.value.details["damaged"] == [str(damaged)]


def test_a_damaged_backup_is_gone_round(folder):
    """The one before it and its segments lead to the same moments, to the end too."""
    damage(folder.full_backups().whole[1][0])
    assert plan_for(folder, Timestamp(300, 1)).full.moment == Timestamp(100, 1)
    plan = plan_for(folder, Timestamp(350, 0))
    assert (plan.full.moment, len(plan.segments)) == (Timestamp(100, 1), 3)
    assert covered(folder) == (Timestamp(100, 1), Timestamp(400, 1))


def test_no_restore_ends_earlier_without_a_word(folder):
    """The end is refused where damage hides it; a moment before it is not."""
    newest = full_backup(folder, 700) / MANIFEST
    damage(newest)
    with pytest.raises(BackupDamagedError, match=r"lead to .*400\.1") as raised:
        plan_for(folder, None)
    assert raised.value.file == str(newest)
    assert plan_for(folder, Timestamp(400, 1)).until == Timestamp(400, 1)


def test_a_damaged_segment_that_was_taken_again_is_no_hole(folder):
    """The next one begins where the last whole one ends."""
    damage(folder.oplog / "300.1-400.1.json")
    with pytest.raises(BackupDamagedError):
        plan_for(folder, None)
    segment(folder, 300, 450)
    assert plan_for(folder, None).until == Timestamp(450, 1)


def test_a_damaged_last_segment_is_no_last_one(tmp_path):
    """What it held is read from the server once more, if that still has it."""
    folder = BackupFolder(tmp_path)
    full_backup(folder, 100)
    segment(folder, 100, 200)
    damage(segment(folder, 200, 300))
    assert folder.last_segment().end == Timestamp(200, 1)


def test_where_all_is_damaged_the_newest_is_named(tmp_path):
    """Not as if nobody had ever taken one."""
    folder = BackupFolder(tmp_path)
    for seconds in (100, 200):
        damage(full_backup(folder, seconds) / MANIFEST)
    with pytest.raises(BackupDamagedError, match=r"-200\.1/manifest"):
        plan_for(folder, None)


def test_an_empty_folder_is_refused(tmp_path):
    """There is nothing to begin with."""
    with pytest.raises(BackupMissingError):
        plan_for(BackupFolder(tmp_path), None)


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
