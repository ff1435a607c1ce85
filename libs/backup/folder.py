"""A folder of backups: what lies where, who may write, what of it is whole.

``full/<when>-<moment>/manifest.json`` is written last, so that a backup without it
never was one. ``oplog/<after>-<until>.json`` is the same for a segment. One whose
manifest is damaged is left out and told of; the others stay what they were.
"""

import fcntl
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from bson import Timestamp

from libs.backup.errors import BackupDamagedError, BackupRunningError
from libs.backup.manifest import FullBackup, Segment, read_manifest
from libs.backup.moments import moment_of, text_of
from libs.kernel import InvalidError

MANIFEST = "manifest.json"
_BEGINNING, _END = Timestamp(0, 0), Timestamp(0xFFFF_FFFF, 0xFFFF_FFFF)

M = TypeVar("M", FullBackup, Segment)


@dataclass(frozen=True)
class Damaged:
    """A full backup or a segment whose manifest is not what was written.

    Attributes:
        path: Its manifest.
        moment: Up to which it led, by its name; the last of all if that tells none.
    """

    path: Path
    moment: Timestamp
    error: BackupDamagedError


@dataclass(frozen=True)
class Found(Generic[M]):
    """Backups of one kind, by the moments to which they lead.

    Attributes:
        whole: With the path of each one's manifest.
    """

    whole: list[tuple[Path, M]]
    damaged: list[Damaged]


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

    def place_of(self, began: datetime, moment: Timestamp) -> Path:
        """Return where a full backup goes."""
        return self.full / f"{began:%Y%m%dT%H%M%SZ}-{text_of(moment)}"

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

    def full_backups(self) -> Found[FullBackup]:
        """Return the finished full backups, oldest first."""
        found = _found(self.full.glob(f"*/{MANIFEST}"), FullBackup)
        found.whole.sort(key=lambda one: one[1].moment)
        return found

    def segments(self, after: Timestamp = _BEGINNING) -> Found[Segment]:
        """Return the finished segments that end after a moment, by their end."""
        paths = [path for path in self.oplog.glob("*.json") if _moment(path) > after]
        found = _found(paths, Segment)
        found.whole.sort(key=lambda one: one[1].end)
        return found

    def last_segment(self) -> Segment | None:
        """Return the whole segment that ends last, and read none that ends before.

        A damaged one is no last one: what it held is read from the server once more.
        """
        for path in sorted(self.oplog.glob("*.json"), key=_moment, reverse=True):
            if whole := _found([path], Segment).whole:
                return whole[0][1]
        return None

    def damaged(self) -> list[Damaged]:
        """Return all that is damaged; this reads every manifest."""
        return self.full_backups().damaged + self.segments().damaged


def _found(paths: Iterable[Path], kind: type[M]) -> Found[M]:
    found: Found[M] = Found([], [])
    for path in sorted(paths):
        try:
            found.whole.append((path, read_manifest(path, kind)))
        except BackupDamagedError as error:
            found.damaged.append(Damaged(path, _moment(path), error))
    return found


def _moment(path: Path) -> Timestamp:
    """Return to which moment a manifest's backup leads, by its name or its folder's."""
    name = path.parent.name if path.name == MANIFEST else path.stem
    try:
        return moment_of(name.rpartition("-")[2])
    except InvalidError:
        return _END
