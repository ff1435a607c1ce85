"""What retention removes, whatever the clocks say, and what it leaves."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from bson import Timestamp

from libs.backup.folder import MANIFEST, BackupFolder
from libs.backup.retention import prune
from tests.unit.backup.folders import damage, full_backup, segment

DAY = 86_400
KEEP = timedelta(days=30)


@pytest.fixture
def folder(tmp_path):
    """Return an empty folder."""
    return BackupFolder(tmp_path)


def taken(folder, *days, jumped=()):
    """Take a full backup each of these days, and a segment that joins it to the next.

    Args:
        folder: Where.
        days: By the server's clock.
        jumped: Days by this machine's clock, where they are others.
    """
    for number, day in enumerate(days):
        said = datetime.fromtimestamp((jumped or days)[number] * DAY, UTC)
        full_backup(folder, day * DAY, began=said)
    for day, after in pairwise(days):
        segment(folder, day * DAY, after * DAY)


def left(folder):
    """Return the days of the full backups that are there."""
    return [full.moment.time // DAY for _, full in folder.full_backups().whole]


def test_a_backup_a_day_is_kept_for_as_long_as_is_said(folder):
    """The one that leads to the oldest kept moment stays, what is older goes."""
    taken(folder, *range(1, 41))
    pruned = prune(folder, KEEP)
    assert left(folder) == list(range(10, 41))
    assert (pruned.full, pruned.segments) == (9, 9)
    assert folder.segments().whole[0][1].begin == Timestamp(10 * DAY, 1)
    assert prune(folder, KEEP).full == 0


def test_nothing_that_is_young_is_removed(folder):
    """All of it may still be asked for."""
    taken(folder, *range(1, 30))
    pruned = prune(folder, KEEP)
    assert (pruned.full, pruned.segments) == (0, 0)


@pytest.mark.parametrize("jump", [40, 365, 20_000])
def test_a_clock_that_jumps_forward_makes_nothing_old(folder, jump):
    """However far: it counts as two days, for a day or a year."""
    taken(folder, *range(1, 31), 30 + jump)
    prune(folder, KEEP)
    assert left(folder) == [*range(2, 31), 30 + jump]
    taken(folder, 31 + jump, 32 + jump)
    prune(folder, KEEP)
    assert left(folder)[0] == 4


def test_a_clock_of_this_machine_alone_that_jumps_makes_nothing_old(folder):
    """The server's times go on, those of the commands do not."""
    taken(folder, *range(1, 31), jumped=(*range(1, 30), 400))
    prune(folder, KEEP)
    assert left(folder) == list(range(1, 31))


def test_a_clock_that_was_put_right_ages_what_is_there(folder):
    """The server's time stays ahead, so that its moments are nearly one."""
    ahead = 400
    taken(
        folder,
        *range(1, 11),
        *(ahead + number for number in range(31)),
        jumped=(*range(1, 11), ahead, *range(12, 42)),
    )
    prune(folder, KEEP)
    assert 1 not in left(folder)
    assert len(left(folder)) > 25


def test_a_pause_counts_as_two_days(folder):
    """A year without a backup is no reason to throw away what was before."""
    taken(folder, 1, 2, 3, 400)
    assert prune(folder, timedelta(days=1)).full == 1
    assert left(folder) == [2, 3, 400]


def test_the_newest_stay_at_any_age(folder):
    """Three, as one or two of them may turn out to be damaged."""
    taken(folder, *range(1, 60, 7))
    prune(folder, timedelta(days=1))
    assert left(folder) == [43, 50, 57]


def test_a_damaged_backup_is_left_alone_until_it_is_too_old(folder):
    """Somebody may want to look at it; what it needs is not known, so nothing goes."""
    taken(folder, *range(1, 32))
    listing, note = folder.listings / "0.jsonl.gz", folder.objects / "00" / "0.json"
    note.parent.mkdir()
    for path in (listing, note):
        path.write_bytes(b"")
    spoilt = folder.full_backups().whole[0][0]
    damage(spoilt)
    [damaged] = prune(folder, KEEP).damaged
    assert damaged.file == str(spoilt)
    assert (listing.exists(), note.exists()) == (True, True)
    taken(folder, 33, 34)
    pruned = prune(folder, KEEP)
    assert (pruned.full, pruned.listings, pruned.objects) == (3, 1, 1)
    assert pruned.damaged == []


def test_a_damaged_segment_goes_with_what_is_around_it(folder):
    """By its name it is too old; so it does not stay for ever."""
    taken(folder, *range(1, 41))
    damage(folder.oplog / f"{DAY}.1-{2 * DAY}.1.json")
    pruned = prune(folder, KEEP)
    assert (pruned.segments, pruned.damaged) == (9, [])
    assert not list(folder.oplog.glob(f"{DAY}.1-*"))


def test_where_all_is_damaged_nothing_is_removed(folder):
    """There is no backup that would take its place."""
    taken(folder, 1, 2)
    for path, _ in folder.full_backups().whole:
        damage(path)
    pruned = prune(folder, KEEP)
    assert (pruned.full, pruned.segments, len(pruned.damaged)) == (0, 0, 2)


def test_what_an_interrupted_command_left_is_removed(folder):
    """A backup without its manifest, a segment without one: neither is ever used."""
    taken(folder, 1, 2)
    (full_backup(folder, 700) / MANIFEST).unlink()
    (folder.oplog / "600.1-700.1.bson.gz").write_bytes(b"half")
    (folder.oplog / ".600.1-700.1.bson.gz.part").write_bytes(b"half")
    prune(folder, KEEP)
    assert len(list(folder.full.iterdir())) == 2
    assert not list(folder.oplog.glob("*600.1-700.1*"))
