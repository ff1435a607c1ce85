"""The outbox in MongoDB: rows, refusals, and what the backlog looks like.

A row is ``{_id: event id, t: type, k: key, n: sequence, p: relay id, at: server
time, b: encoded CloudEvent}``; a refused one has also ``a`` (attempts), ``e`` (error)
and ``nb`` (not before; year 9999 when it is parked).
"""

import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Timestamp
from pymongo import ASCENDING, WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.event import exchange_of
from libs.events.frames import Row
from libs.events.timing import smallest_id
from libs.kernel import EventId

Document = dict[str, Any]

PARKED_UNTIL = datetime(9999, 1, 1, tzinfo=UTC)
_SERVER_TIME = Timestamp(0, 0)  # the server fills in its own on insert
_SWEEP_ORDER = [("k", ASCENDING), ("n", ASCENDING), ("_id", ASCENDING)]
_MAX_BACKOFF_SECONDS = 300


@dataclass(frozen=True)
class Refused:
    """Which refused rows an operator means; what is empty does not filter.

    Attributes:
        reason: Part of the broker's words.
        older_than: By the time in the event's id.
        limit: The oldest so many; below 0 all.
    """

    event_type: str = ""
    reason: str = ""
    event_id: str = ""
    older_than: timedelta | None = None
    limit: int = -1

    def query(self) -> Document:
        """Return the MongoDB query."""
        query: Document = {"nb": {"$exists": True}}
        if self.event_type:
            query["t"] = self.event_type
        if self.reason:
            query["e"] = {"$regex": re.escape(self.reason)}
        if self.event_id:
            query["_id"] = self.event_id
        elif self.older_than is not None:
            query["_id"] = {"$lt": smallest_id(self.older_than)}
        return query


class OutboxStore:
    """Reads and writes one service's outbox.

    Args:
        database: The service's own database.
        relay_id: Marks the rows of this process; new with every start.
    """

    def __init__(self, database: AsyncDatabase[Document], relay_id: str) -> None:
        self._rows = database["outbox"]
        self._confirmed = self._rows.with_options(write_concern=WriteConcern(w=1))
        self._client = database.client
        self.relay_id = relay_id

    async def ensure_indexes(self) -> None:
        """Create the indexes; does nothing where they are."""
        await self._rows.create_index([("p", ASCENDING), *_SWEEP_ORDER])
        await self._rows.create_index("nb", sparse=True)

    async def insert(self, rows: Sequence[Row], session: AsyncClientSession) -> None:
        """Write the events of a transaction, in one statement."""
        owner = self.relay_id
        documents = [
            {
                "_id": row.id,
                "t": row.type,
                "k": row.key,
                "n": row.sequence,
                "p": owner,
                "at": _SERVER_TIME,
                "b": row.body,
            }
            for row in rows
        ]
        if len(documents) == 1:  # the driver's bulk write costs more
            await self._rows.insert_one(documents[0], session=session)
        else:
            await self._rows.insert_many(documents, session=session)

    async def delete(self, ids: Sequence[str]) -> None:
        """Delete rows that the broker confirmed.

        Nobody waits for the journal: a row that a crash brings back is published
        again, which its consumers' inboxes know already.
        """
        await self._confirmed.delete_many({"_id": {"$in": list(ids)}})

    async def owners(self) -> set[str]:
        """Return the relay ids that have rows here."""
        return set(await self._rows.distinct("p"))

    async def read(
        self,
        owners: Iterable[str],
        *,
        older_than: timedelta | None,
        blocked: Iterable[str],
    ) -> AsyncGenerator[Row, None]:
        """Read rows of some relays, sorted by (key, sequence, id), from a snapshot.

        A snapshot, because within a key commit order is sequence order: where a
        sequence is seen, those before it are seen too, or were sent.

        Args:
            owners: Relay ids.
            older_than: Age by the server's clock; None takes every row.
            blocked: Keys to leave out.
        """
        query: Document = {"p": {"$in": list(owners)}}
        if older_than is not None:
            until = await self._server_seconds() - int(older_than.total_seconds())
            query["at"] = {"$lt": Timestamp(until, 0)}
        keys = list(blocked)
        if keys:
            query["k"] = {"$nin": keys}
        async with self._client.start_session(snapshot=True) as session:
            found = self._rows.find(query, session=session, batch_size=500)
            async for document in found.sort(_SWEEP_ORDER):
                yield _to_row(document)

    async def refuse(
        self, rows: Sequence[Row], error: str, *, park_after: int
    ) -> list[str]:
        """Note that the broker refused rows; returns the ids that are now parked.

        Each waits 2 s, 4 s, 8 s ... up to 5 minutes, and from then on travels alone;
        after `park_after` refusals it is parked until somebody requeues it.
        """
        ids = [row.id for row in rows]
        attempts = {"$add": [{"$ifNull": ["$a", 0]}, 1]}
        wait = {"$min": [{"$pow": [2, attempts]}, _MAX_BACKOFF_SECONDS]}
        later = {"$add": ["$$NOW", {"$multiply": [wait, 1000]}]}
        is_parked = {"$gte": [attempts, park_after]}
        change = {
            "a": attempts,
            "e": {"$literal": error[:500]},
            "nb": {"$cond": [is_parked, PARKED_UNTIL, later]},
        }
        await self._rows.update_many({"_id": {"$in": ids}}, [{"$set": change}])
        parked = self._rows.find({"_id": {"$in": ids}, "nb": PARKED_UNTIL}, {"_id": 1})
        return [document["_id"] async for document in parked]

    async def blocked_keys(self) -> tuple[set[str], int]:
        """Return the keys that wait after a refusal, and how many are parked."""
        now = datetime.fromtimestamp(await self._server_seconds(), UTC)
        waiting = set(await self._rows.distinct("k", {"nb": {"$gt": now}}))
        parked = await self._rows.distinct("k", {"nb": PARKED_UNTIL})
        return waiting, len(parked)

    async def count(self) -> int:
        """Return the number of rows, from the collection's metadata."""
        return await self._rows.estimated_document_count()

    async def oldest_id(self) -> EventId | None:
        """Return the smallest event id; UUIDv7 tells when it was made."""
        document = await self._rows.find_one({}, {"_id": 1}, sort=[("_id", ASCENDING)])
        return EventId(document["_id"]) if document else None

    async def refused(self, wanted: "Refused") -> list[Document]:
        """Return the refused rows that fit, without their bodies, oldest first."""
        found = self._rows.find(wanted.query(), {"b": 0}).sort("_id", ASCENDING)
        if wanted.limit >= 0:
            return await found.to_list(wanted.limit) if wanted.limit else []
        return await found.to_list(None)

    async def requeue(self, ids: Sequence[str] | None = None) -> int:
        """Let refused and parked rows go again, all or some; returns how many."""
        query: Document = {"nb": {"$exists": True}}
        if ids is not None:
            query["_id"] = {"$in": list(ids)}
        result = await self._rows.update_many(query, {"$unset": {"nb": "", "a": ""}})
        return result.modified_count

    async def _server_seconds(self) -> int:
        answer = await self._client.admin.command("hello")
        local: datetime = answer["localTime"]
        if local.tzinfo is None:
            local = local.replace(tzinfo=UTC)
        return int(local.timestamp())


def _to_row(document: Document) -> Row:
    event_type: str = document["t"]
    return Row(
        id=document["_id"],
        type=event_type,
        exchange=exchange_of(event_type),
        key=document["k"],
        sequence=document["n"],
        body=bytes(document["b"]),
        is_alone="a" in document,
    )
