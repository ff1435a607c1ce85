"""Accounts that wait for their deletion, and what is kept of them, in MongoDB."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import driver_errors
from libs.crypto import KeyRing
from libs.kernel import UserId
from services.auth.domain import BlindIndex
from services.auth.domain.erasure import Backlog, Erasure
from services.auth.ports import DatabaseSession
from services.auth.repository.blind_index import blind_index

Document = dict[str, Any]


class MongoDeletionQueue:
    """Collection ``users`` by what their deletion asks."""

    INDEXES = (
        IndexModel(
            [("deletion_due_at", ASCENDING)],
            name="deletion_due",
            partialFilterExpression={"deletion_due_at": {"$type": "date"}},
        ),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._users = database["users"]

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._users.create_indexes(list(self.INDEXES))

    async def due(
        self, *, at: datetime, after: str | None, limit: int
    ) -> Sequence[UserId]:
        """Return who is due at a time, in the order of ids."""
        query: Document = {"deletion_due_at": {"$type": "date", "$lte": at}}
        if after is not None:
            query["_id"] = {"$gt": after}
        with driver_errors(None):
            cursor = self._users.find(query, {"_id": True})
            ordered = cursor.sort("_id", ASCENDING).limit(limit)
            return [UserId(document["_id"]) async for document in ordered]

    async def oldest_due_at(self) -> datetime | None:
        """Return the earliest date of all that wait; None if nobody does."""
        with driver_errors(None):
            document = await self._users.find_one(
                {"deletion_due_at": {"$type": "date"}},
                {"deletion_due_at": True},
                sort=[("deletion_due_at", ASCENDING)],
            )
        return document["deletion_due_at"] if document else None

    async def remove(self, user_id: UserId, session: DatabaseSession) -> None:
        """Remove an account; see `DeletionQueue.remove`."""
        with driver_errors(session):
            await self._users.delete_one({"_id": user_id}, session=session)


class MongoErasureRepository:
    """Collection ``erasures``: ``_id`` is the id of a user who is gone.

    Args:
        database: Auth's own.
        ring: Its keys make what is kept of a handle; a lookup tries all of them.
    """

    INDEXES = (
        IndexModel([("missing", ASCENDING), ("_id", ASCENDING)], name="missing"),
        IndexModel(
            [("handle_index", ASCENDING)],
            name="handle",
            partialFilterExpression={"handle_index": {"$type": "string"}},
        ),
    )

    def __init__(self, database: AsyncDatabase[Document], ring: KeyRing) -> None:
        self._erasures = database["erasures"]
        self._ring = ring

    @property
    def _index(self) -> BlindIndex:
        """The index over the keys of now: the ring may follow its file (SE-1)."""
        return blind_index(self._ring, "handle")

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._erasures.create_indexes(list(self.INDEXES))

    async def add(
        self, erasure: Erasure, handle: str | None, session: DatabaseSession
    ) -> None:
        """Store an erasure; the handle is nobody's from then on."""
        document = {
            "_id": erasure.user_id,
            "revision": erasure.revision,
            "erased_at": erasure.erased_at,
            "told_at": erasure.told_at,
            "awaited": list(erasure.awaited),
            "missing": list(erasure.missing),
            "answers": dict(erasure.answers),
        }
        if handle is not None:
            document["handle_index"] = self._index.value(handle)
        with driver_errors(session):
            await self._erasures.insert_one(document, session=session)

    async def get(self, user_id: UserId, session: DatabaseSession) -> Erasure | None:
        """Return an erasure."""
        with driver_errors(session):
            document = await self._erasures.find_one({"_id": user_id}, session=session)
        return _erasure(document) if document else None

    async def has_handle(self, handle: str, session: DatabaseSession) -> bool:
        """Tell whether somebody who is gone had a handle."""
        values = list(self._index.candidates(handle))
        with driver_errors(session):
            found = await self._erasures.find_one(
                {"handle_index": {"$in": values}}, {"_id": True}, session=session
            )
        return found is not None

    async def answer(
        self, user_id: UserId, service: str, at: datetime, session: DatabaseSession
    ) -> bool:
        """Note a service's first answer; False if it is not awaited (any more)."""
        with driver_errors(session):
            result = await self._erasures.update_one(
                {"_id": user_id, "missing": service},
                {"$pull": {"missing": service}, "$set": {f"answers.{service}": at}},
                session=session,
            )
        return result.matched_count == 1

    async def note_told(
        self, user_id: UserId, at: datetime, session: DatabaseSession
    ) -> None:
        """Note that the services were told once more."""
        with driver_errors(session):
            await self._erasures.update_one(
                {"_id": user_id}, {"$set": {"told_at": at}}, session=session
            )

    async def page(
        self, *, is_complete: bool | None, after: str | None, limit: int
    ) -> Sequence[Erasure]:
        """Return erasures in the order of user ids; None: complete or not."""
        query: Document = {}
        if is_complete is not None:
            query["missing"] = [] if is_complete else {"$gt": ""}
        if after is not None:
            query["_id"] = {"$gt": after}
        with driver_errors(None):
            cursor = self._erasures.find(query).sort("_id", ASCENDING).limit(limit)
            return [_erasure(document) async for document in cursor]

    async def backlog(self) -> Mapping[str, Backlog]:
        """Return what each service has not answered; only those that owe one."""
        steps: list[Document] = [
            {"$match": {"missing": {"$gt": ""}}},
            {"$unwind": "$missing"},
            {
                "$group": {
                    "_id": "$missing",
                    "count": {"$sum": 1},
                    "oldest_at": {"$min": "$erased_at"},
                }
            },
        ]
        with driver_errors(None):
            cursor = await self._erasures.aggregate(steps)
            return {
                row["_id"]: Backlog(row["count"], row["oldest_at"])
                async for row in cursor
            }


def _erasure(document: Document) -> Erasure:
    return Erasure(
        user_id=UserId(document["_id"]),
        revision=document["revision"],
        erased_at=document["erased_at"],
        told_at=document["told_at"],
        awaited=tuple(document["awaited"]),
        answers=document["answers"],
    )
