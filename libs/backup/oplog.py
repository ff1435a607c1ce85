"""The oplog as changes in the order of their commits.

A transaction's entries are held back until the last of them, which commits it. Source:
MongoDB's `src/mongo/db/repl/README.md`, "Life of a Multi-Document Transaction".
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bson import Timestamp, decode
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from libs.backup.errors import OperationUnsupportedError
from libs.backup.moments import shown

Document = dict[str, Any]

CHANGES = frozenset({"i", "u", "d"})
IGNORED_COMMANDS = frozenset({"startIndexBuild", "abortIndexBuild", "dropDatabase"})
"""Builds that begin or fail; a database goes after each of its collections."""

COMMANDS = frozenset(
    {"create", "drop", "createIndexes", "commitIndexBuild", "dropIndexes", "collMod"}
)
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


@dataclass(frozen=True)
class Change:
    """One operation, and the moment at which it became visible.

    Attributes:
        kind: ``i``, ``u``, ``d`` of a document, ``c`` of a collection.
        namespace: Database and collection; of a command the database and ``$cmd``.
        body: Document, update, filter or command.
        target: The ``_id`` of what an update changes.
    """

    at: Timestamp
    kind: str
    namespace: str
    body: RawBSONDocument
    target: RawBSONDocument | None

    @property
    def command(self) -> str:
        """Return a command's name, empty for a document's change."""
        return str(next(iter(self.body), "")) if self.kind == "c" else ""


@dataclass
class Oplog:
    """Reads entries; keeps what an open transaction has so far.

    Attributes:
        prefix: Databases whose names begin so.
        after: What became visible later has to be repeated.
        until: What became visible later is left out.
    """

    prefix: str
    after: Timestamp
    until: Timestamp
    _read_until: Timestamp = field(default_factory=lambda: Timestamp(0, 0))
    _open: dict[bytes, list[RawBSONDocument]] = field(default_factory=dict)

    def changes(self, entries: Iterable[bytes]) -> Iterator[Change]:
        """Yield what entries change in our databases, in the order of commits.

        Raises:
            OperationUnsupportedError: Something that cannot be repeated.
        """
        for raw in entries:
            entry = decode(raw, codec_options=_RAW)
            at: Timestamp = entry["ts"]
            if at > self.until:
                return
            if at <= self._read_until:
                continue  # segments may overlap
            self._read_until = at
            for operation in self._committed(entry, at):
                namespace = str(operation["ns"])
                if namespace.startswith(self.prefix):
                    yield self._change(at, operation)

    def _committed(
        self, entry: RawBSONDocument, at: Timestamp
    ) -> Iterable[RawBSONDocument]:
        body = entry["o"]
        if entry["op"] != "c" or "applyOps" not in body:
            return [entry]
        if body.get("prepare"):
            self._refuse("A transaction over shards", at)
        operations: list[RawBSONDocument] = list(body["applyOps"])
        if "lsid" not in entry:
            return operations
        key = entry["lsid"].raw + str(entry["txnNumber"]).encode()
        if body.get("partialTxn"):
            self._open.setdefault(key, []).extend(operations)
            return []
        return [*self._open.pop(key, []), *operations]

    def _change(self, at: Timestamp, operation: RawBSONDocument) -> Change:
        kind, namespace = str(operation["op"]), str(operation["ns"])
        change = Change(at, kind, namespace, operation["o"], operation.get("o2"))
        command = change.command
        is_known = command in COMMANDS | IGNORED_COMMANDS
        if command and (
            not is_known or ("index" in change.body and command == "collMod")
        ):
            self._refuse(command, at)
        return change

    def _refuse(self, what: str, at: Timestamp) -> None:
        """Refuse what cannot be repeated, if it would have to be."""
        if at > self.after:
            raise OperationUnsupportedError(what, shown(at))
