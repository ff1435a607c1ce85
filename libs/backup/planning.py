"""Which files lead to a moment, and whether all of them are what was written."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bson import Timestamp

from libs.backup.errors import BackupMissingError, PointUncoveredError
from libs.backup.folder import BackupFolder, Damaged
from libs.backup.listings import check_objects
from libs.backup.manifest import FullBackup, ObjectListing, Segment
from libs.backup.moments import shown
from libs.backup.oplog import Change, Oplog
from libs.backup.streams import check_documents, read_documents
from libs.backup.taking import Tell
from libs.kernel import AppError


@dataclass(frozen=True)
class Plan:
    """A full backup, and the segments that lead from it to a moment.

    Attributes:
        place: Folder of the full backup.
        until: The moment; what committed later is left out.
        listing: The objects of then; None where none were taken.
    """

    folder: BackupFolder
    place: Path
    full: FullBackup
    segments: tuple[Segment, ...]
    until: Timestamp
    listing: ObjectListing | None

    def entries(self) -> Iterator[bytes]:
        """Yield the oplog's entries, from the minutes before the backup on."""
        yield from read_documents(self.place, self.full.before)
        for segment in self.segments:
            yield from read_documents(self.folder.oplog, segment.file)

    def changes(self) -> Iterator[Change]:
        """Yield what changed up to the moment, from the minutes before the backup on.

        Raises:
            OperationUnsupportedError: Something since the backup can't be repeated.
        """
        oplog = Oplog(self.full.prefix, self.full.moment, self.until)
        return oplog.changes(self.entries())

    def check(self, tell: Tell) -> None:
        """Read every file to its end.

        Raises:
            BackupDamagedError: One is not what was written.
            OperationUnsupportedError: One holds what cannot be repeated.
        """
        files = [one.file for one in self.full.collections if one.file is not None]
        for number, file in enumerate(files, 1):
            check_documents(self.place, file)
            tell("files checked", number, len(files))
        for _ in self.changes():
            pass
        for _ in self.entries():
            pass  # what is behind the moment too: the proof is at a file's end
        if self.listing is not None:
            check_objects(self.folder, self.listing)


def plan_for(folder: BackupFolder, point: Timestamp | None) -> Plan:
    """Return what leads to a moment, or as far as it goes.

    What is damaged is gone round where another way leads there. Where none is named,
    the last moment has to be the last that was ever covered.

    Raises:
        BackupMissingError: There is no full backup.
        BackupDamagedError: What leads to the end is not what was written.
        PointUncoveredError: Nothing leads there.
    """
    fulls = folder.full_backups()
    if not fulls.whole:
        raise _nothing_whole(folder, fulls.damaged)
    fitting = [one for one in fulls.whole if point is None or one[1].moment <= point]
    path, full = (fitting or fulls.whole)[-1]
    segments = folder.segments(full.moment)
    chain = _chain(full, [one for _, one in segments.whole], point)
    reached = chain[-1].end if chain else full.moment
    damaged = fulls.damaged + segments.damaged
    if point is None:
        _refuse_less(reached, damaged)
    elif not fitting or point > reached:
        ends = (full.moment, reached) if fitting else covered(folder)
        raise _uncovered(point, ends, damaged)
    listing = chain[-1].objects if chain else full.objects
    return Plan(folder, path.parent, full, tuple(chain), point or reached, listing)


def covered(folder: BackupFolder) -> tuple[Timestamp, Timestamp]:
    """Return from which moment on, and up to which, whole backups lead.

    Raises:
        BackupMissingError: There is no full backup.
        BackupDamagedError: None of them is whole.
    """
    fulls = folder.full_backups()
    if not fulls.whole:
        raise _nothing_whole(folder, fulls.damaged)
    last = fulls.whole[-1][1]
    segments = [one for _, one in folder.segments(last.moment).whole]
    chain = _chain(last, segments, None)
    return fulls.whole[0][1].moment, chain[-1].end if chain else last.moment


def _chain(
    full: FullBackup, segments: list[Segment], point: Timestamp | None
) -> list[Segment]:
    reached, chain = full.moment, []
    for segment in segments:
        if point is not None and reached >= point:
            break
        if segment.begin <= reached < segment.end:
            chain.append(segment)
            reached = segment.end
    return chain


def _nothing_whole(folder: BackupFolder, damaged: list[Damaged]) -> AppError:
    return damaged[-1].error if damaged else BackupMissingError(folder.full)


def _refuse_less(reached: Timestamp, damaged: list[Damaged]) -> None:
    """Refuse to end earlier than was asked for without a word."""
    for one in damaged:
        if one.moment > reached:
            raise one.error.with_end(shown(reached))


def _uncovered(
    point: Timestamp, ends: tuple[Timestamp, Timestamp], damaged: list[Damaged]
) -> PointUncoveredError:
    first, last = map(shown, ends)
    files = [one.error.file for one in damaged]
    return PointUncoveredError(shown(point), first, last, files)
