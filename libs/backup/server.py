"""One replica set as a backup sees it: its catalogue, one moment, its oplog."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from bson import Timestamp, json_util
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReadPreference
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError

from libs.backup.errors import ServerRefusedError, SnapshotLostError
from libs.backup.manifest import CollectionEntry
from libs.backup.streams import StoredFile

Document = dict[str, Any]
Client = MongoClient[Document]

_LOST = {239, 246}  # SnapshotTooOld, SnapshotUnavailable
_SECONDS = 10_000


@contextmanager
def driver_errors() -> Iterator[None]:
    """Turn the driver's errors into typed ones."""
    try:
        yield
    except OperationFailure as error:
        if error.code in _LOST:
            raise SnapshotLostError(str(error.details or error)[:200]) from error
        raise ServerRefusedError(f"MongoDB: {error}"[:400]) from error
    except PyMongoError as error:
        raise ServerRefusedError(f"MongoDB: {error}"[:400]) from error


@contextmanager
def open_client(url: str, *, is_restoring: bool = False) -> Iterator[Client]:
    """Connect; reads go where the URL says, else to a secondary if there is one.

    Args:
        url: Connection string.
        is_restoring: Read from the primary, whatever the URL says.
    """
    options = options_of(url, is_restoring=is_restoring)
    with driver_errors(), MongoClient(url, **options) as client:
        yield client


def options_of(url: str, *, is_restoring: bool) -> dict[str, Any]:
    """Return what a connection string does not say, or must not decide.

    A restore that read from a secondary would miss what it has just written, and what
    the databases hold.
    """
    options: dict[str, Any] = {"serverSelectionTimeoutMS": _SECONDS}
    if is_restoring:
        options["readPreference"] = "primary"
    elif "readpreference" not in url.lower():
        options["readPreference"] = "secondaryPreferred"
    return options


@contextmanager
def one_moment(client: Client) -> Iterator[tuple[ClientSession, Timestamp]]:
    """Yield a session whose reads all show one moment, and that moment.

    The moment is the newest that a majority of the set has.
    """
    with driver_errors(), client.start_session(snapshot=True) as session:
        reply = client["admin"].command(
            "find",
            "system.version",
            limit=1,
            singleBatch=True,
            session=session,
            read_preference=client.read_preference,
        )
        yield session, reply["cursor"]["atClusterTime"]


def databases_of(client: Client, prefix: str) -> list[str]:
    """Return the databases whose names begin so."""
    names = client.list_database_names()
    return sorted(name for name in names if name.startswith(prefix))


def collections_of(client: Client, prefix: str) -> Iterator[CollectionEntry]:
    """Yield each collection and view of the databases, still without documents."""
    for database in databases_of(client, prefix):
        found = client[database].list_collections()
        for listed in sorted(found, key=lambda one: str(one["name"])):
            name = listed["name"]
            if name.startswith("system."):
                continue
            is_view = listed["type"] == "view"
            yield CollectionEntry(
                database,
                name,
                _written({k: v for k, v in listed["options"].items() if k != "uuid"}),
                [] if is_view else _indexes(client, database, name),
                None if is_view else StoredFile("", 0, "", 0),
            )


def _indexes(client: Client, database: str, name: str) -> list[Document]:
    found = client[database][name].list_indexes()
    return [_written(dict(index)) for index in found if index["name"] != "_id_"]


def _written(document: Document) -> Document:
    text = json_util.dumps(document, json_options=json_util.CANONICAL_JSON_OPTIONS)
    written: Document = json.loads(text)
    return written


def unwritten(document: Document) -> Document:
    """Return options or an index as they were, from canonical extended JSON."""
    read: Document = json_util.loads(json.dumps(document))
    return read


def newest_moment(client: Client) -> Timestamp:
    """Return the newest moment that a majority of the set has."""
    hello = client["admin"].command("hello", read_preference=ReadPreference.PRIMARY)
    newest: Timestamp = hello["lastWrite"]["majorityOpTime"]["ts"]
    return newest


def _oplog(client: Client) -> Collection[RawBSONDocument]:
    """Return the primary's oplog: a secondary's may end before, or begin after."""
    raw: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    oplog = client["local"].get_collection(
        "oplog.rs", codec_options=raw, read_preference=ReadPreference.PRIMARY
    )
    return cast("Collection[RawBSONDocument]", oplog)


def oplog_start(client: Client) -> Timestamp:
    """Return the moment of the oldest entry that the oplog still has."""
    oldest = _oplog(client).find_one({}, {"ts": 1}, sort=[("$natural", 1)])
    if oldest is None:
        raise ServerRefusedError("MongoDB: its oplog is empty; is it a replica set?")
    moment: Timestamp = oldest["ts"]
    return moment


def oplog_between(
    client: Client, prefix: str, after: Timestamp, until: Timestamp
) -> Iterator[bytes]:
    """Yield the oplog's entries of the databases, and of every transaction."""
    query = {
        "ts": {"$gt": after, "$lte": until},
        "op": {"$in": ["i", "u", "d", "c"]},
        "$or": [{"ns": {"$regex": f"^{prefix}"}}, {"ns": "admin.$cmd"}],
    }
    with _oplog(client).find(query).sort("$natural", 1) as found:
        for entry in found:
            yield bytes(entry.raw)
