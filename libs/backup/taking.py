"""Taking backups: everything at one moment, and what came after."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
from bson import Timestamp
from pymongo.client_session import ClientSession

from libs.backup.errors import BackupAheadError, BackupMissingError, OplogGapError
from libs.backup.folder import MANIFEST, BackupFolder
from libs.backup.manifest import (
    CollectionEntry,
    FullBackup,
    ObjectListing,
    Segment,
    write_manifest,
)
from libs.backup.moments import before, shown, text_of
from libs.backup.objects import ObjectCopies
from libs.backup.server import (
    Client,
    collections_of,
    driver_errors,
    newest_moment,
    one_moment,
    oplog_between,
    oplog_start,
)
from libs.backup.streams import DocumentWriter, StoredFile
from libs.kernel import Clock

RESENT_SECONDS = 15 * 60
"""Events of this time before a restored moment are published again."""

_LONGEST_TRANSACTION_SECONDS = 60
_LONGEST_LAG_SECONDS = 600
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]")

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Taking:
    """Writes backups of one replica set, and of a bucket, into a folder.

    Attributes:
        prefix: Databases whose names begin so.
        objects: Copies or lists objects; None where there is no bucket.
        tell: Hears of work, how much of it is done, and how much there is.
    """

    client: Client
    folder: BackupFolder
    prefix: str
    objects: ObjectCopies | None
    clock: Clock
    tell: Tell

    def take_full(self) -> FullBackup:
        """Back up every database at one moment; nothing waits for it.

        Raises:
            SnapshotLostError: The server did not keep the moment long enough.
            BackupRunningError: Another one is being taken.
            BackupAheadError: Older backups would pass for newer ones.
        """
        with self.folder.alone("full"), driver_errors():
            # One that failed for want of room would keep that room.
            self.folder.remove_unfinished()
            with one_moment(self.client) as (session, at):
                self._refuse_behind(at)
                return self._take_full(session, at)

    def _take_full(self, session: ClientSession, at: Timestamp) -> FullBackup:
        began_at, began = self.clock.now(), self.clock.monotonic()
        place = self.folder.place_of(began_at, at)
        place.mkdir(mode=0o700)
        window = RESENT_SECONDS + _LONGEST_TRANSACTION_SECONDS
        taken = FullBackup(
            at=text_of(at),
            prefix=self.prefix,
            began_at=began_at.isoformat(),
            collections=self._collections(place, session),
            before=self._oplog(place, "before.bson.gz", before(at, window), at),
            objects=self._objects(),
            server=str(self.client.server_info()["version"]),
            seconds=round(self.clock.monotonic() - began, 3),
        )
        write_manifest(place / MANIFEST, taken)
        return taken

    def take_segment(self) -> Segment:
        """Write what the oplog has since the last segment, or the last full backup.

        Raises:
            BackupMissingError: There is no full backup to go on from.
            OplogGapError: The oplog does not reach back so far.
            BackupAheadError: They end behind what the server has come to.
        """
        with self.folder.alone("segment"), driver_errors():
            newest = newest_moment(self.client)
            self._refuse_behind(newest)
            after = self._covered_until()
            until = max(newest, after)
            name = f"{text_of(after)}-{text_of(until)}"
            file = self._oplog(self.folder.oplog, f"{name}.bson.gz", after, until)
            if (oldest := oplog_start(self.client)) > after:
                raise OplogGapError(text_of(after), text_of(oldest))
            segment = Segment(
                after=text_of(after),
                until=text_of(until),
                written_at=self.clock.now().isoformat(),
                file=file,
                objects=self._objects(),
            )
            write_manifest(self.folder.oplog / f"{name}.json", segment)
        return segment

    def _refuse_behind(self, at: Timestamp) -> None:
        """Refuse a moment that would never be the newest one of the folder.

        A set's own time never goes back; what a node knows of it may lag a little.
        """
        ends = [full.moment for _, full in self.folder.full_backups().whole]
        if segment := self.folder.last_segment():
            ends.append(segment.end)
        if ends and at < before(max(ends), _LONGEST_LAG_SECONDS):
            raise BackupAheadError(shown(max(ends)), shown(at))

    def _covered_until(self) -> Timestamp:
        """Return where to go on: the last segment's end, or the last full backup."""
        fulls = self.folder.full_backups()
        if not fulls.whole:
            raise BackupMissingError(self.folder.full)
        newest = fulls.whole[-1][1].moment
        segment = self.folder.last_segment()
        last = segment.end if segment is not None else newest
        oldest = oplog_start(self.client)
        for start in (last, newest):
            if oldest <= start:
                return start
        raise OplogGapError(text_of(max(last, newest)), text_of(oldest))

    def _collections(
        self, place: Path, session: ClientSession
    ) -> list[CollectionEntry]:
        entries = list(collections_of(self.client, self.prefix))
        written = []
        for number, entry in enumerate(entries, 1):
            written.append(self._documents(place, entry, session))
            self.tell("collections", number, len(entries))
        return written

    def _documents(
        self, place: Path, entry: CollectionEntry, session: ClientSession
    ) -> CollectionEntry:
        """Write a collection's documents as the server sends them."""
        if entry.file is None:
            return entry
        collection = self.client[entry.database][entry.name]
        total = collection.estimated_document_count()
        name = f"{_NOT_IN_NAMES.sub('_', entry.namespace)}.bson.gz"
        done = 0
        with DocumentWriter(place, name) as writer:
            for batch in collection.find_raw_batches({}, session=session):
                done += writer.write(cast("bytes", batch))
                if done < total:
                    self.tell(entry.namespace, done, total)
        return msgspec.structs.replace(entry, file=writer.stored())

    def _oplog(
        self, place: Path, name: str, after: Timestamp, until: Timestamp
    ) -> StoredFile:
        with DocumentWriter(place, name) as writer:
            for entry in oplog_between(self.client, self.prefix, after, until):
                writer.write(entry)
        return writer.stored()

    def _objects(self) -> ObjectListing | None:
        return self.objects.take() if self.objects else None
