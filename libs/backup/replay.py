"""Repeats what the oplog tells, on databases that hold the moment before it."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bson import SON
from pymongo.errors import CollectionInvalid, OperationFailure

from libs.backup.oplog import CHANGES, Change
from libs.backup.server import Client

Document = dict[str, Any]

_BATCH = 1_000
_BATCH_BYTES = 4 << 20
_EXISTS = 48
_COUNTED = {"i": 1, "d": -1, "u": 0}


class Replay:
    """Applies changes in their order; indexes are noted, to be made at the end.

    Attributes:
        counts: Documents that each collection of the target should hold by now.
        indexes: Their indexes by name.
        applied: Changes so far.
    """

    def __init__(self, client: Client, renamed: Callable[[str], str]) -> None:
        self._client = client
        self._renamed = renamed
        self._batch: list[Document] = []
        self._batch_bytes = 0
        self.counts: defaultdict[str, int] = defaultdict(int)
        self.indexes: defaultdict[str, dict[str, Document]] = defaultdict(dict)
        self.applied = 0

    def apply(self, change: Change) -> None:
        """Apply a change, or put it into the batch that `flush` applies."""
        self.applied += 1
        if change.kind in CHANGES:
            self._add(change)
            return
        self.flush()
        database = self._renamed(change.namespace.removesuffix(".$cmd"))
        command: Document = SON(change.body.items())
        name = str(command.get(change.command))
        _COMMANDS.get(change.command, _nothing)(self, database, name, command)

    def flush(self) -> None:
        """Apply what waits."""
        if self._batch:
            self._client["admin"].command("applyOps", self._batch)
        self._batch, self._batch_bytes = [], 0

    def _add(self, change: Change) -> None:
        namespace = self._renamed(change.namespace)
        operation = {"op": change.kind, "ns": namespace, "o": change.body}
        if change.target is not None:
            operation["o2"] = change.target
        size = len(change.body.raw)
        if len(self._batch) >= _BATCH or self._batch_bytes + size > _BATCH_BYTES:
            self.flush()
        self._batch.append(operation)
        self._batch_bytes += size
        self.counts[namespace] += _COUNTED[change.kind]

    def create(self, database: str, name: str, command: Document) -> None:
        """Make a collection, unless the catalogue of the backup had it already."""
        options = {k: v for k, v in command.items() if k not in ("create", "idIndex")}
        try:
            self._client[database].command("create", name, **options)
        except (CollectionInvalid, OperationFailure) as error:
            if getattr(error, "code", _EXISTS) not in (_EXISTS, None):
                raise
        self.counts[f"{database}.{name}"] += 0

    def drop(self, database: str, name: str, _: Document) -> None:
        """Drop a collection."""
        self._client[database].drop_collection(name)
        self.counts.pop(f"{database}.{name}", None)
        self.indexes.pop(f"{database}.{name}", None)

    def note_index(self, database: str, name: str, command: Document) -> None:
        """Note an index that was made on a collection without documents."""
        index = {k: v for k, v in command.items() if k != "createIndexes"}
        self.indexes[f"{database}.{name}"][str(index["name"])] = index

    def note_indexes(self, database: str, name: str, command: Document) -> None:
        """Note indexes whose build was done."""
        for index in command["indexes"]:
            self.indexes[f"{database}.{name}"][str(index["name"])] = SON(index.items())

    def forget_index(self, database: str, name: str, command: Document) -> None:
        """Forget an index that was dropped."""
        self.indexes[f"{database}.{name}"].pop(str(command["index"]), None)

    def modify(self, database: str, name: str, command: Document) -> None:
        """Change a collection's options."""
        options = {k: v for k, v in command.items() if k != "collMod"}
        self._client[database].command("collMod", name, **options)


def _nothing(_replay: Replay, _database: str, _name: str, _command: Document) -> None:
    """Leave alone what says nothing of its own."""


_COMMANDS: dict[str, Callable[[Replay, str, str, Document], None]] = {
    "create": Replay.create,
    "drop": Replay.drop,
    "createIndexes": Replay.note_index,
    "commitIndexBuild": Replay.note_indexes,
    "dropIndexes": Replay.forget_index,
    "collMod": Replay.modify,
}
