"""Which files lead to a moment, and whether all of them are what was written."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bson import Timestamp

from libs.backup.errors import BackupMissingError, PointUncoveredError
from libs.backup.listings import check_objects
from libs.backup.manifest import BackupFolder, FullBackup, ObjectListing, Segment
from libs.backup.moments import shown
from libs.backup.oplog import Change, Oplog
from libs.backup.streams import check_documents, read_documents
from libs.backup.taking import Tell


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

    Raises:
        BackupMissingError: There is no full backup.
        BackupDamagedError: A manifest is not what was written.
        PointUncoveredError: Nothing leads there.
    """
    fulls = folder.full_backups()
    if not fulls:
        raise BackupMissingError(folder.full)
    fitting = [one for one in fulls if point is None or one[1].moment <= point]
    segments = folder.segments((fitting or fulls)[-1][1].moment)
    if not fitting:
        raise _uncovered(point, fulls[0][1].moment, _reached(fulls[-1][1], segments))
    place, full = fitting[-1]
    chain = _chain(full, segments, point)
    reached = chain[-1].end if chain else full.moment
    if point is not None and point > reached:
        raise _uncovered(point, full.moment, reached)
    listing = chain[-1].objects if chain else full.objects
    return Plan(folder, place, full, tuple(chain), point or reached, listing)


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


def _reached(full: FullBackup, segments: list[Segment]) -> Timestamp:
    chain = _chain(full, segments, None)
    return chain[-1].end if chain else full.moment


def _uncovered(
    point: Timestamp | None, first: Timestamp, last: Timestamp
) -> PointUncoveredError:
    asked = shown(point) if point is not None else "the end"
    return PointUncoveredError(asked, shown(first), shown(last))
