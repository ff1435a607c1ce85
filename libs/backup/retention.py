"""What no restore of the last days needs any more, and its end."""

import shutil
from dataclasses import dataclass
from datetime import datetime

from libs.backup.listings import read_listing
from libs.backup.manifest import BackupFolder, FullBackup, ObjectListing
from libs.backup.moments import text_of


@dataclass(frozen=True)
class Pruned:
    """How much was removed."""

    full: int
    segments: int
    listings: int
    objects: int


def prune(folder: BackupFolder, oldest: datetime) -> Pruned:
    """Remove what is not needed to restore to any moment from a time on.

    The newest full backup before that time stays, and all that comes after it; so does
    the last full backup, however old it is. Objects that no listing names go.

    Args:
        folder: Where backups lie.
        oldest: The first moment that must stay.
    """
    with (
        folder.alone("full", is_waiting=True),
        folder.alone("segment", is_waiting=True),
    ):
        _remove_unfinished(folder)
        fulls = folder.full_backups()
        seconds = int(oldest.timestamp())
        gone = [one for one in fulls if one[1].moment.time <= seconds][:-1]
        for place, _ in gone:
            shutil.rmtree(place)
        segments = _prune_segments(folder, [one for _, one in fulls[len(gone) :]])
        listings, objects = _prune_objects(folder)
    return Pruned(len(gone), segments, listings, objects)


def _remove_unfinished(folder: BackupFolder) -> None:
    """Remove what an interrupted command left; nobody else is writing now."""
    folder.remove_unfinished()
    for path in folder.oplog.glob(".*.part"):
        path.unlink()
    for path in folder.oplog.glob("*.bson.gz"):
        if not (folder.oplog / f"{path.name.removesuffix('.bson.gz')}.json").exists():
            path.unlink()


def _prune_segments(folder: BackupFolder, kept: list[FullBackup]) -> int:
    removed = 0
    for segment in folder.segments() if kept else ():
        if segment.end <= kept[0].moment:
            name = f"{text_of(segment.begin)}-{text_of(segment.end)}"
            (folder.oplog / f"{name}.json").unlink()
            (folder.oplog / segment.file.name).unlink(missing_ok=True)
            removed += 1
    return removed


def _prune_objects(folder: BackupFolder) -> tuple[int, int]:
    named = [full.objects for _, full in folder.full_backups()]
    named += [segment.objects for segment in folder.segments()]
    listings = {one.file.name: one for one in named if one is not None}
    gone = [path for path in folder.listings.glob("*.gz") if path.name not in listings]
    for path in gone:
        path.unlink()
    needed = _places(folder, list(listings.values()))
    objects = 0
    for note in folder.objects.glob("*/*.json"):
        if f"{note.parent.name}/{note.stem}" not in needed:
            note.unlink()
            note.with_suffix(".bytes").unlink(missing_ok=True)
            objects += 1
    return len(gone), objects


def _places(folder: BackupFolder, listings: list[ObjectListing]) -> set[str]:
    """Return the places of all objects that listings name: 43 bytes an object."""
    return {
        one.place
        for listing in listings
        if listing.is_copied
        for one in read_listing(folder, listing)
    }
