"""What is said of a backup and of a segment: manifests with their own checksum."""

import hashlib
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from bson import Timestamp

from libs.backup.errors import BackupDamagedError
from libs.backup.moments import moment_of
from libs.backup.streams import StoredFile
from libs.kernel import InvalidError

FORMAT = 1


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
        began_at: By the clock of who took it; ISO 8601.
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

    def __post_init__(self) -> None:
        """Refuse what tells no time."""
        moment_of(self.at)
        datetime.fromisoformat(self.began_at)

    @property
    def moment(self) -> Timestamp:
        """Return the moment it shows."""
        return moment_of(self.at)

    @property
    def began(self) -> datetime:
        """Return when it began, by the clock of who took it."""
        return datetime.fromisoformat(self.began_at)


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """The oplog between two moments: after the first, up to and with the second."""

    format: int = FORMAT
    after: str
    until: str
    written_at: str
    file: StoredFile
    objects: ObjectListing | None

    def __post_init__(self) -> None:
        """Refuse what tells no moments."""
        moment_of(self.after)
        moment_of(self.until)

    @property
    def begin(self) -> Timestamp:
        """Return the moment after which it begins."""
        return moment_of(self.after)

    @property
    def end(self) -> Timestamp:
        """Return the last moment that it covers."""
        return moment_of(self.until)


M = TypeVar("M", FullBackup, Segment)


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
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupDamagedError(path, "the manifest is cut off") from error
    except OSError as error:
        raise BackupDamagedError(path, f"unreadable ({error.strerror})") from error
    if claimed != _checksum(document):
        raise BackupDamagedError(path, "the manifest's checksum differs")
    if document.get("format") != FORMAT:
        raise BackupDamagedError(path, "its format is another version's")
    try:
        return msgspec.convert(document, kind)
    except (msgspec.ValidationError, InvalidError) as error:
        raise BackupDamagedError(path, f"the manifest is none: {error}") from error


def _checksum(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
