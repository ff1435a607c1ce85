"""Trail and chain in a database of their own beside a service's.

``<database>_audit`` holds ``records`` and ``chain``, in which the service's account may
insert and find only, and ``pending``, from which it may also remove (`rights`). A
transaction spans both databases.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    BulkWriteError,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
)

from libs.chassis.audit.chain import (
    ChainLink,
    PendingRecord,
    record_hash,
    whole_milliseconds,
)
from libs.chassis.audit.entry import AuditEntry, encoded_text
from libs.chassis.audit.errors import ChainMovedError
from libs.chassis.audit.rights import CHAIN, PENDING, RECORDS, audit_database_of
from libs.chassis.mongo import driver_errors, map_mongo_errors
from libs.chassis.origins import current_origin
from libs.kernel import Clock, SystemClock, UnavailableError, new_id

Document = dict[str, Any]
_WRITE_CONFLICT = 112


class MongoAuditTrail:
    """Implements `AuditTrail`: one document a record, never changed afterwards.

    Args:
        database: The service's own.
        service: Its name, in every record.
        clock: Wall clock of the records' times (UTC).
    """

    def __init__(
        self,
        database: AsyncDatabase[Document],
        service: str,
        clock: Clock | None = None,
    ) -> None:
        audit = audit_database(database)
        self._records = audit[RECORDS]
        self._pending = audit[PENDING]
        self._client = database.client
        self._service = service
        self._clock = clock or SystemClock()

    async def record(self, entry: AuditEntry, session: Any) -> None:  # noqa: ANN401 - the driver's
        """Keep an entry; see `AuditTrail.record`."""
        document = self._document(entry)
        with _refusals(), driver_errors(session):
            if session is not None:
                await self._insert(document, session)
                return
            async with self._client.start_session() as own:
                await own.with_transaction(lambda bound: self._insert(document, bound))

    async def _insert(self, document: Document, session: Any) -> None:  # noqa: ANN401 - the driver's
        await self._records.insert_one(document, session=session)
        waiting = {"_id": document["_id"], "hash": record_hash(document)}
        await self._pending.insert_one(waiting, session=session)

    def _document(self, entry: AuditEntry) -> Document:
        bound = structlog.contextvars.get_contextvars()
        origin = current_origin()
        return {
            "_id": new_id(),
            "at": whole_milliseconds(self._clock.now()),
            "service": self._service,
            "action": encoded_text(entry.action),
            "actor_id": encoded_text(entry.actor_id),
            "target_id": encoded_text(entry.target_id),
            "on_behalf_of": encoded_text(entry.on_behalf_of),
            "session_hash": _hash(entry.session_id or origin.session_id),
            "source": encoded_text(entry.source or origin.address),
            "result": entry.result.value,
            "reason": encoded_text(entry.reason),
            "details": _encoded_details(entry.details),
            "request_id": encoded_text(str(bound.get("request_id", ""))),
        }


class MongoChainStore:
    """Implements `ChainStore`, and reads records for the verifier."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        audit = audit_database(database)
        self._records = audit[RECORDS]
        self._chain = audit[CHAIN]
        self._pending = audit[PENDING]
        self._client = database.client

    async def pending(self, limit: int) -> list[PendingRecord]:
        """Return records without a number; see `ChainStore.pending`."""
        with map_mongo_errors():
            found = await self._pending.find().sort("_id", 1).limit(limit).to_list()
        return [PendingRecord(row["_id"], row["hash"]) for row in found]

    async def head(self) -> ChainLink | None:
        """Return the last link; see `ChainStore.head`."""
        with map_mongo_errors():
            document = await self._chain.find_one(sort=[("_id", -1)])
        return None if document is None else _link_of(document)

    async def link(self, seq: int) -> ChainLink | None:
        """Return the link of a number; see `ChainStore.link`."""
        with map_mongo_errors():
            document = await self._chain.find_one({"_id": seq})
        return None if document is None else _link_of(document)

    async def append(self, links: list[ChainLink]) -> None:
        """Add links; see `ChainStore.append`."""
        with map_mongo_errors():
            try:
                async with (
                    self._client.start_session() as session,
                    await session.start_transaction(),
                ):
                    await self._append(links, session)
            except (BulkWriteError, DuplicateKeyError) as error:
                raise ChainMovedError from error
            except OperationFailure as error:
                if error.code == _WRITE_CONFLICT:
                    raise ChainMovedError from error
                raise

    async def links(self, after: int, limit: int) -> list[ChainLink]:
        """Return links with numbers above one, in order."""
        with map_mongo_errors():
            found = self._chain.find({"_id": {"$gt": after}}).sort("_id", 1)
            return [_link_of(document) for document in await found.to_list(limit)]

    async def record_hashes(self, record_ids: list[str]) -> dict[str, str]:
        """Return the hash of each of these records that is there."""
        with map_mongo_errors():
            found = await self._records.find({"_id": {"$in": record_ids}}).to_list()
        return {document["_id"]: record_hash(document) for document in found}

    async def record_ids(self, after: str, limit: int) -> list[str]:
        """Return ids of records above one, in order."""
        with map_mongo_errors():
            found = self._records.find({"_id": {"$gt": after}}, {"_id": 1})
            return [row["_id"] for row in await found.sort("_id", 1).to_list(limit)]

    async def unchained(self, record_ids: list[str]) -> list[str]:
        """Return which of these records neither stand in the chain nor wait."""
        with map_mongo_errors():
            query = {"record_id": {"$in": record_ids}}
            links = await self._chain.find(query, {"record_id": 1}).to_list()
            known = {row["record_id"] for row in links}
            rows = await self._pending.find({"_id": {"$in": record_ids}}).to_list()
            # Between the two questions a sealer may have been at work.
            again = await self._chain.find(query, {"record_id": 1}).to_list()
        known |= {row["_id"] for row in rows} | {row["record_id"] for row in again}
        return [record_id for record_id in record_ids if record_id not in known]

    async def seq_after(self, record_id: str) -> int | None:
        """Return the number of the first record with a higher id, None without."""
        with map_mongo_errors():
            document = await self._chain.find_one(
                {"record_id": {"$gt": record_id}}, sort=[("record_id", 1)]
            )
        return None if document is None else int(document["_id"])

    async def _append(self, links: list[ChainLink], session: Any) -> None:  # noqa: ANN401 - the driver's
        documents = [_document_of(link) for link in links]
        await self._chain.insert_many(documents, session=session)
        ids = [link.record_id for link in links]
        removed = await self._pending.delete_many(
            {"_id": {"$in": ids}}, session=session
        )
        if removed.deleted_count != len(links):
            raise ChainMovedError


def audit_database(database: AsyncDatabase[Document]) -> AsyncDatabase[Document]:
    """Return the database of a service's audit, read in UTC."""
    return database.client.get_database(
        audit_database_of(database.name),
        codec_options=database.codec_options.with_options(tz_aware=True),
    )


@contextmanager
def _refusals() -> Iterator[None]:
    """Tell what is no passing failure either as one: the action is refused.

    What is transient passes through, as the bus runs the transaction again.
    """
    try:
        yield
    except PyMongoError as error:
        if error.has_error_label("TransientTransactionError"):
            raise
        raise UnavailableError(
            "audit_unavailable", "What was to be done cannot be recorded now."
        ) from error


def _document_of(link: ChainLink) -> Document:
    return {
        "_id": link.seq,
        "record_id": link.record_id,
        "record_hash": link.record_hash,
        "previous": link.previous,
        "epoch": link.epoch,
        "key_id": link.key_id,
        "sealed_at": link.sealed_at,
        "hash": link.hash,
        "mac": link.mac,
    }


def _link_of(document: Document) -> ChainLink:
    fields = {name: value for name, value in document.items() if name != "_id"}
    return ChainLink(seq=document["_id"], **fields)


def _encoded_details(details: Mapping[str, str | int | bool]) -> Document:
    return {
        encoded_text(name): encoded_text(value) if isinstance(value, str) else value
        for name, value in details.items()
    }


def _hash(session_id: str) -> str:
    """Return what tells sessions apart without letting one be used."""
    return hashlib.sha256(session_id.encode()).hexdigest() if session_id else ""
