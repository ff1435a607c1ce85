"""What a backup folder holds: manifests with their own checksum, and where they lie.

``full/<when>/manifest.json`` is written last, so that a backup without it never was
one. ``oplog/<after>-<until>.json`` is the same for a segment.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from bson import Timestamp

from libs.backup.errors import BackupDamagedError, BackupRunningError
from libs.backup.moments import moment_of
from libs.backup.streams import StoredFile
from libs.kernel import InvalidError

FORMAT = 1
MANIFEST = "manifest.json"
_BEGINNING = Timestamp(0, 0)


class CollectionEntry(msgspec.Struct, frozen=True):
    """One collection or view.

    Attributes:
        options: As MongoDB lists them, in canonical extended JSON.
        indexes: Likewise; without the one of ``_id``.
        file: Its documents; None for a view.
    """

    database: str
    name: str
    options: dict[str, Any]
    indexes: list[dict[str, Any]]
    file: StoredFile | None

    @property
    def namespace(self) -> str:
        """Return database and name, as the oplog writes them."""
        return f"{self.database}.{self.name}"


class ObjectListing(msgspec.Struct, frozen=True):
    """The objects of a bucket at a time.

    Attributes:
        file: Lines of JSON, compressed, in ``listings``.
        is_copied: Whether their bytes lie in ``objects``; else the bucket keeps its
            versions.
    """

    file: StoredFile
    is_copied: bool
    size_bytes: int


class FullBackup(msgspec.Struct, frozen=True, kw_only=True):
    """All databases at one moment.

    Attributes:
        at: The moment, as `moments.text_of` writes it.
        before: The oplog of the minutes before it.
        began_at: ISO 8601.
    """

    format: int = FORMAT
    at: str
    prefix: str
    began_at: str
    seconds: float
    server: str
    collections: list[CollectionEntry]
    before: StoredFile
    objects: ObjectListing | None

    @property
    def moment(self) -> Timestamp:
        """Return the moment it shows."""
        return moment_of(self.at)


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """The oplog between two moments: after the first, up to and with the second."""

    format: int = FORMAT
    after: str
    until: str
    written_at: str
    file: StoredFile
    objects: ObjectListing | None

    @property
    def begin(self) -> Timestamp:
        """Return the moment after which it begins."""
        return moment_of(self.after)

    @property
    def end(self) -> Timestamp:
        """Return the last moment that it covers."""
        return moment_of(self.until)


M = TypeVar("M", FullBackup, Segment)


class BackupFolder:
    """Where backups lie."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def full(self) -> Path:
        """A folder a full backup, named by the time it began."""
        return self.root / "full"

    @property
    def oplog(self) -> Path:
        """Segments."""
        return self.root / "oplog"

    @property
    def listings(self) -> Path:
        """Lists of objects, named by their content."""
        return self.root / "listings"

    @property
    def objects(self) -> Path:
        """Bytes of objects, once each."""
        return self.root / "objects"

    @contextmanager
    def alone(self, kind: str, *, is_waiting: bool = False) -> Iterator[None]:
        """Make the folders that are missing, and be the only one of a kind in them.

        Args:
            kind: ``full`` or ``segment``; one of each may be taken at a time.
            is_waiting: Wait for who is there.

        Raises:
            BackupRunningError: Somebody is there.
        """
        for path in (self.root, self.full, self.oplog, self.listings, self.objects):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.root / f".{kind}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if is_waiting else fcntl.LOCK_NB))
            except BlockingIOError:
                raise BackupRunningError(self.root) from None
            yield

    def remove_unfinished(self) -> None:
        """Remove full backups without a manifest; the caller has to be `alone`."""
        for place in self.full.iterdir():
            if not (place / MANIFEST).exists():
                shutil.rmtree(place)

    def full_backups(self) -> list[tuple[Path, FullBackup]]:
        """Return the finished full backups, oldest first.

        Raises:
            BackupDamagedError: A manifest is not what was written.
        """
        paths = sorted(self.full.glob(f"*/{MANIFEST}"))
        found = [(path.parent, read_manifest(path, FullBackup)) for path in paths]
        return sorted(found, key=lambda one: one[1].moment)

    def segments(self, after: Timestamp = _BEGINNING) -> list[Segment]:
        """Return the finished segments that end after a moment, by their end.

        Raises:
            BackupDamagedError: A manifest is not what was written.
        """
        paths = [path for path in self.oplog.glob("*.json") if _end(path) > after]
        return sorted(
            (read_manifest(path, Segment) for path in paths), key=lambda one: one.end
        )

    def last_segment(self) -> Segment | None:
        """Return the finished segment that ends last, and read no other.

        Raises:
            BackupDamagedError: Its manifest is not what was written.
        """
        last = max(self.oplog.glob("*.json"), key=_end, default=None)
        return read_manifest(last, Segment) if last is not None else None


def _end(path: Path) -> Timestamp:
    """Return where a segment ends, by the name of its manifest."""
    try:
        return moment_of(path.stem.partition("-")[2])
    except InvalidError:
        raise BackupDamagedError(path, "its name is no segment's") from None


def write_manifest(path: Path, manifest: FullBackup | Segment) -> None:
    """Write a manifest whole, with its checksum; mode 0600."""
    document = msgspec.to_builtins(manifest)
    document["sha256"] = _checksum(document)
    part = path.with_name(f".{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_manifest(path: Path, kind: type[M]) -> M:
    """Read a manifest.

    Raises:
        BackupDamagedError: It is not what was written, or of another format.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
        claimed = document.pop("sha256")
    except (ValueError, KeyError, AttributeError, FileNotFoundError) as error:
        raise BackupDamagedError(path, "the manifest is cut off") from error
    if claimed != _checksum(document):
        raise BackupDamagedError(path, "the manifest's checksum differs")
    if document.get("format") != FORMAT:
        raise BackupDamagedError(path, "its format is another version's")
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise BackupDamagedError(path, f"the manifest is none: {error}") from error


def _checksum(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
