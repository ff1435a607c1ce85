"""What no restore of the last days needs any more, and its end."""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from bson import Timestamp

from libs.backup.errors import BackupDamagedError
from libs.backup.folder import BackupFolder, Damaged
from libs.backup.listings import read_listing
from libs.backup.manifest import ObjectListing

LONGEST_STEP = timedelta(days=2)
"""Between one full backup and the next; a longer one counts as this."""

NEWEST_KEPT = 3
"""Full backups that stay at any age."""


@dataclass(frozen=True)
class Pruned:
    """How much was removed.

    Attributes:
        damaged: What can't be read; while there is any, no listing and no object goes,
            as it may be needed by that.
    """

    full: int
    segments: int
    listings: int
    objects: int
    damaged: list[BackupDamagedError]


def prune(folder: BackupFolder, keep: timedelta) -> Pruned:
    """Remove what is not needed to restore to any moment of the last days.

    The newest full backup that is so old stays, and all that comes after it; so do the
    newest ones, however old they are. Objects that no listing names go.

    No clock is asked: a backup's age is how long before the newest one it was begun,
    in steps from one to the next of which none is longer than `LONGEST_STEP`, nor less
    than nothing. A clock that jumps, this machine's or the server's, makes what is
    there older by one step and no more.

    Args:
        folder: Where backups lie.
        keep: To whose moments a restore must stay possible.
    """
    with (
        folder.alone("full", is_waiting=True),
        folder.alone("segment", is_waiting=True),
    ):
        _remove_unfinished(folder)
        fulls = folder.full_backups()
        whole = [full for _, full in fulls.whole]
        count = _too_old([full.began for full in whole], keep)
        gone = [path.parent for path, _ in fulls.whole[:count]]
        if count:
            gone += _before(whole[count].moment, fulls.damaged)
        for place in gone:
            shutil.rmtree(place)
        segments = _prune_segments(folder, whole[count].moment) if whole else 0
        listings, objects, damaged = _prune_objects(folder)
    return Pruned(len(gone), segments, listings, objects, damaged)


def _too_old(begun: list[datetime], keep: timedelta) -> int:
    """Return how many of the oldest full backups nothing needs any more."""
    age, old = timedelta(), 0
    for later, earlier in pairwise(reversed(begun)):
        age += min(max(later - earlier, timedelta()), LONGEST_STEP)
        old += age >= keep
    return max(0, min(old - 1, len(begun) - NEWEST_KEPT))


def _before(oldest: Timestamp, damaged: list[Damaged]) -> list[Path]:
    """Return the folders of damaged full backups that would be too old, too."""
    return [one.path.parent for one in damaged if one.moment <= oldest]


def _remove_unfinished(folder: BackupFolder) -> None:
    """Remove what an interrupted command left; nobody else is writing now."""
    folder.remove_unfinished()
    for path in folder.oplog.glob(".*.part"):
        path.unlink()
    for path in folder.oplog.glob("*.bson.gz"):
        if not (folder.oplog / f"{path.name.removesuffix('.bson.gz')}.json").exists():
            path.unlink()


def _prune_segments(folder: BackupFolder, oldest: Timestamp) -> int:
    found = folder.segments()
    gone = [path for path, one in found.whole if one.end <= oldest]
    gone += [one.path for one in found.damaged if one.moment <= oldest]
    for path in gone:
        path.unlink()
        path.with_suffix(".bson.gz").unlink(missing_ok=True)
    return len(gone)


def _prune_objects(
    folder: BackupFolder,
) -> tuple[int, int, list[BackupDamagedError]]:
    """Remove what no listing names, unless something can't be asked what it needs."""
    damaged = [one.error for one in folder.damaged()]
    named = [full.objects for _, full in folder.full_backups().whole]
    named += [segment.objects for _, segment in folder.segments().whole]
    listings = {one.file.name: one for one in named if one is not None}
    needed = _places(folder, list(listings.values()), damaged)
    if damaged:
        return 0, 0, damaged
    gone = [path for path in folder.listings.glob("*.gz") if path.name not in listings]
    for path in gone:
        path.unlink()
    objects = 0
    for note in folder.objects.glob("*/*.json"):
        if f"{note.parent.name}/{note.stem}" not in needed:
            note.unlink()
            note.with_suffix(".bytes").unlink(missing_ok=True)
            objects += 1
    return len(gone), objects, damaged


def _places(
    folder: BackupFolder,
    listings: list[ObjectListing],
    damaged: list[BackupDamagedError],
) -> set[str]:
    """Return the places of all objects that listings name: 43 bytes an object.

    Args:
        folder: Where they lie.
        listings: What names objects.
        damaged: Gets what can't be read.
    """
    places: set[str] = set()
    for listing in listings:
        if listing.is_copied:
            try:
                places.update(one.place for one in read_listing(folder, listing))
            except BackupDamagedError as error:
                damaged.append(error)
    return places
