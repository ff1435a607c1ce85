"""Restoring databases to a moment: checked first, loaded, carried on, counted."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bson import Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError

from libs.backup.errors import (
    CountsDifferError,
    PrefixUnusableError,
    TargetNotEmptyError,
)
from libs.backup.manifest import CollectionEntry
from libs.backup.moments import before
from libs.backup.planning import Plan
from libs.backup.replay import Replay
from libs.backup.server import (
    Client,
    databases_of,
    driver_errors,
    newest_moment,
    unwritten,
)
from libs.backup.streams import read_documents
from libs.backup.taking import RESENT_SECONDS, Tell
from libs.kernel import Clock, new_id

OUTBOX = "outbox"
RESTORES = "restores"
"""In each database with an outbox: a document a restore, for its service to see."""

_OF_THE_SERVER = ("admin", "config", "local")
_BEGINNING = re.compile(r"[a-z0-9_]{1,30}")
_BATCH = 1_000
_BATCH_BYTES = 8 << 20
_DUPLICATE = 11000


@dataclass(frozen=True)
class Restored:
    """What a restore has done.

    Attributes:
        documents: In all collections, what waits to be published again included.
        applied: Changes of the oplog.
        resent: Events that were put back into outboxes.
    """

    collections: int
    documents: int
    applied: int
    resent: int


@dataclass(frozen=True)
class Restoring:
    """Restores a plan's databases.

    Attributes:
        client: An administrator's.
        prefix: What takes the place of the backup's prefix in names of databases.
    """

    client: Client
    plan: Plan
    prefix: str
    clock: Clock
    tell: Tell

    def run(self, *, is_replacing: bool) -> Restored:
        """Restore; nothing is changed before every file is read and found good.

        Args:
            is_replacing: Throw away what the databases hold.

        Raises:
            PrefixUnusableError: Other databases' names begin so too.
            BackupDamagedError: A file is not what was written.
            TargetNotEmptyError: There are documents, and they are not to go.
            CountsDifferError: Something else wrote meanwhile.
        """
        self._refuse_prefix()
        self.plan.check(self.tell)
        with driver_errors():
            self._clear(is_replacing=is_replacing)
            replay = Replay(self.client, self.renamed)
            for number, entry in enumerate(self.plan.full.collections, 1):
                self._load(entry, replay)
                self.tell("collections", number, len(self.plan.full.collections))
            self._carry_on(replay)
            self._compare(replay.counts)
            self._build(replay.indexes)
            resent = self._resend()
            self._mark(replay)
        return Restored(
            len(replay.counts), sum(replay.counts.values()), replay.applied, resent
        )

    def renamed(self, name: str) -> str:
        """Return a database's or collection's full name as it is restored."""
        return self.prefix + name.removeprefix(self.plan.full.prefix)

    def _refuse_prefix(self) -> None:
        """Refuse names beside that begin what is there: it would be cleared."""
        if self.prefix == self.plan.full.prefix:
            return
        untouched = (self.plan.full.prefix, *_OF_THE_SERVER)
        is_name = _BEGINNING.fullmatch(self.prefix)
        if not is_name or any(name.startswith(self.prefix) for name in untouched):
            raise PrefixUnusableError(self.prefix)

    def _clear(self, *, is_replacing: bool) -> None:
        held = list(self._collections())
        full = [name for name in held if self._collection(name).find_one({}, ["_id"])]
        if full and not is_replacing:
            raise TargetNotEmptyError(full[:5])
        for name in held:
            self._collection(name).drop()

    def _collections(self) -> Iterator[str]:
        for database in databases_of(self.client, self.prefix):
            for name in self.client[database].list_collection_names():
                if not name.startswith("system."):
                    yield f"{database}.{name}"

    def _collection(self, namespace: str) -> Any:  # noqa: ANN401 - documents of any shape
        database, _, name = namespace.partition(".")
        return self.client[database][name]

    def _load(self, entry: CollectionEntry, replay: Replay) -> None:
        """Make a collection, with its documents and still without its indexes."""
        namespace = self.renamed(entry.namespace)
        database = self.client[self.renamed(entry.database)]
        database.command("create", entry.name, **unwritten(entry.options))
        if entry.file is None:
            return
        for index in map(unwritten, entry.indexes):
            replay.indexes[namespace][str(index["name"])] = index
        replay.counts[namespace] += entry.file.documents
        self._insert(namespace, read_documents(self.plan.place, entry.file))

    def _insert(self, namespace: str, documents: Iterator[bytes]) -> int:
        """Insert documents byte by byte as they are; return how many were new."""
        inserted = 0
        batch: list[RawBSONDocument] = []
        size = 0
        for document in documents:
            batch.append(RawBSONDocument(document))
            size += len(document)
            if len(batch) >= _BATCH or size >= _BATCH_BYTES:
                inserted += self._insert_batch(namespace, batch)
                batch, size = [], 0
        return inserted + self._insert_batch(namespace, batch)

    def _insert_batch(self, namespace: str, batch: list[RawBSONDocument]) -> int:
        if not batch:
            return 0
        try:
            self._collection(namespace).insert_many(
                batch, ordered=False, bypass_document_validation=True
            )
        except BulkWriteError as error:
            problems = (error.details or {}).get("writeErrors", [])
            if any(problem["code"] != _DUPLICATE for problem in problems):
                raise
            return len(batch) - len(problems)
        return len(batch)

    def _carry_on(self, replay: Replay) -> None:
        for change in self.plan.changes():
            if change.at > self.plan.full.moment:
                replay.apply(change)
                if replay.applied % _BATCH == 0:
                    self.tell("changes", replay.applied, replay.applied + 1)
        replay.flush()
        self.tell("changes", replay.applied, replay.applied)

    def _compare(self, counts: dict[str, int]) -> None:
        for namespace, expected in counts.items():
            found = self._collection(namespace).estimated_document_count()
            if found != expected:
                raise CountsDifferError(namespace, expected, found)

    def _build(self, indexes: dict[str, dict[str, Any]]) -> None:
        for number, (namespace, wanted) in enumerate(indexes.items(), 1):
            database, _, name = namespace.partition(".")
            specifications = [
                {k: v for k, v in index.items() if k not in ("ns", "v")}
                for index in wanted.values()
            ]
            if specifications:
                self.client[database].command(
                    "createIndexes", name, indexes=specifications
                )
            self.tell("indexes", number, len(indexes))

    def _resend(self) -> int:
        """Put events of the last minutes back into their outboxes.

        They may have been on their way at the moment that is restored, in queues that
        no backup holds; whoever has handled one knows it by the inbox.
        """
        since = before(self.plan.until, RESENT_SECONDS)
        waiting: defaultdict[str, list[RawBSONDocument]] = defaultdict(list)
        resent = 0
        for namespace, document in self._sent(since):
            waiting[namespace].append(document)
            if len(waiting[namespace]) >= _BATCH:
                resent += self._insert_batch(namespace, waiting.pop(namespace))
        for namespace, rows in waiting.items():
            resent += self._insert_batch(namespace, rows)
        return resent

    def _sent(self, since: Timestamp) -> Iterator[tuple[str, RawBSONDocument]]:
        for change in self.plan.changes():
            if change.at > since and change.kind == "i":
                namespace = self.renamed(change.namespace)
                if namespace.partition(".")[2] == OUTBOX:
                    yield namespace, change.body

    def _mark(self, replay: Replay) -> None:
        """Tell each service that its database is an older one than it was."""
        document = {
            "restored_at": self.marked_at(),
            "until": self.plan.until,
            "is_handled": False,
        }
        for namespace in list(replay.counts):
            database, _, name = namespace.partition(".")
            if name == OUTBOX:
                restores = self.client[database][RESTORES]
                restores.insert_one({"_id": new_id(), **document})

    def marked_at(self) -> datetime:
        """Return a time that nothing of the backup comes after.

        Services end what is older than it, so this machine's clock must not be the
        only one that tells: a late one would leave sign-ins open.
        """
        seconds = max(newest_moment(self.client).time, self.plan.until.time) + 1
        return max(self.clock.now(), datetime.fromtimestamp(seconds, UTC))
