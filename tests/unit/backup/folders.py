"""Backup folders made by hand: what a server would have sent, at moments of choice."""

from datetime import UTC, datetime
from pathlib import Path

from bson import Timestamp, encode

from libs.backup.folder import MANIFEST, BackupFolder
from libs.backup.manifest import (
    CollectionEntry,
    FullBackup,
    Segment,
    write_manifest,
)
from libs.backup.moments import text_of
from libs.backup.streams import DocumentWriter, StoredFile


def stored(folder: Path, name: str, *documents: dict) -> StoredFile:
    """Write documents to a file of a backup."""
    with DocumentWriter(folder, name) as writer:
        for document in documents:
            writer.write(encode(document))
    return writer.stored()


def full_backup(
    folder: BackupFolder,
    seconds: int,
    *documents: dict,
    began: datetime | None = None,
) -> Path:
    """Make a full backup of one collection at a second; return its folder."""
    began = began or datetime.fromtimestamp(seconds, UTC)
    with folder.alone("full"):
        place = folder.place_of(began, Timestamp(seconds, 1))
        place.mkdir()
    entry = CollectionEntry(
        "parley_chat", "messages", {}, [], stored(place, "m.bson.gz", *documents)
    )
    manifest = FullBackup(
        at=text_of(Timestamp(seconds, 1)),
        prefix="parley_",
        began_at=began.isoformat(),
        seconds=0.1,
        server="6.0",
        collections=[entry],
        before=stored(place, "before.bson.gz"),
        objects=None,
    )
    write_manifest(place / MANIFEST, manifest)
    return place


def segment(folder: BackupFolder, after: int, until: int, *entries: dict) -> Path:
    """Make a segment of the oplog between two seconds; return its manifest's path."""
    name = f"{text_of(Timestamp(after, 1))}-{text_of(Timestamp(until, 1))}"
    manifest = Segment(
        after=text_of(Timestamp(after, 1)),
        until=text_of(Timestamp(until, 1)),
        written_at=datetime.fromtimestamp(until, UTC).isoformat(),
        file=stored(folder.oplog, f"{name}.bson.gz", *entries),
        objects=None,
    )
    path = folder.oplog / f"{name}.json"
    write_manifest(path, manifest)
    return path


def damage(manifest: Path) -> None:
    """Cut a manifest off."""
    manifest.write_text(manifest.read_text()[:-20])


def nothing_told(_work: str, _done: int, _total: int) -> None:
    """Hear of progress and say nothing."""
