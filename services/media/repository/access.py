"""The access projection in MongoDB: who is in which conversation or project.

One row a person and home with the revision of the last change that concerns the
person, kept when they leave: without it an older ``member_added`` that comes late
would bring them back. One row a home for what concerns all: archived, deleted.
"""

from collections.abc import Sequence
from typing import Any

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from services.media.domain import Membership, MembershipChange, Scope, ScopeChange
from services.media.ports import Session


class MongoAccessRepository:
    """The `AccessRepository`: ``members``, ``scopes``, ``avatars`` and ``people``."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._members = database["members"]
        self._scopes = database["scopes"]
        self._avatars = database["avatars"]
        self._people = database["people"]

    async def ensure_indexes(self) -> None:
        """Make collections and indexes: no transaction should have to."""
        await self._members.create_index("user_id", name="user_id")
        await self._scopes.create_index(
            "is_deleted",
            name="deleted",
            partialFilterExpression={"is_deleted": True},
        )

    async def apply(
        self,
        members: Sequence[MembershipChange],
        scopes: Sequence[ScopeChange],
        *,
        session: Session | None = None,
    ) -> None:
        """Take changes over; see `AccessRepository.apply`.

        The comparison of revisions happens in the update itself, so that two
        processes never overwrite each other with something older.
        """
        if members:
            await self._members.bulk_write(
                [_member_update(change) for change in members], session=session
            )
        if scopes:
            await self._scopes.bulk_write(
                [_scope_update(change) for change in scopes], session=session
            )

    async def put_avatar(
        self,
        user_id: str,
        document_id: str | None,
        revision: int,
        *,
        session: Session | None = None,
    ) -> None:
        """Take over which picture a user shows; see `AccessRepository.put_avatar`."""
        row = {"_id": user_id, "document_id": document_id, "revision": revision}
        newer = {"$cond": [_is_newer(revision), {"$literal": row}, "$$ROOT"]}
        await self._avatars.update_one(
            {"_id": user_id}, [{"$replaceWith": newer}], upsert=True, session=session
        )

    async def is_avatar(self, user_id: str, document_id: str) -> bool:
        """Tell whether a user shows this document as their picture."""
        row = await self._avatars.find_one({"_id": user_id, "document_id": document_id})
        return row is not None

    async def put_suspension(
        self,
        user_id: str,
        revision: int,
        *,
        is_suspended: bool,
        session: Session | None = None,
    ) -> None:
        """Take over whether a person is kept out; an older revision is skipped."""
        told = {"is_suspended": is_suspended, "revision": revision}
        changed = {"$mergeObjects": ["$$ROOT", {"_id": user_id, **told}]}
        newer = {"$cond": [_is_newer(revision), changed, "$$ROOT"]}
        await self._people.update_one(
            {"_id": user_id}, [{"$replaceWith": newer}], upsert=True, session=session
        )

    async def put_deletion(self, user_id: str, revision: int) -> None:
        """Keep that a person is gone, and that they show no picture."""
        with map_mongo_errors():
            await self._people.update_one(
                {"_id": user_id}, {"$set": {"is_deleted": True}}, upsert=True
            )
            await self.put_avatar(user_id, None, revision)

    async def is_barred(self, user_id: str) -> bool:
        """Tell whether a person is suspended or gone."""
        found = await self._people.find_one({"_id": user_id}) or {}
        return bool(found.get("is_suspended") or found.get("is_deleted"))

    async def membership(self, scope: Scope, user_id: str) -> Membership | None:
        """Return what somebody is in a home; None: nothing, or it is deleted."""
        member = await self._members.find_one({"_id": _member_id(scope, user_id)})
        if member is None or member["role"] is None:
            return None
        state = await self._scopes.find_one({"_id": scope.key}) or {}
        if state.get("is_deleted"):
            return None
        return Membership(member["role"], bool(state.get("is_archived")))


def _member_id(scope: Scope, user_id: str) -> str:
    return f"{scope.key}:{user_id}"


def _is_newer(revision: int) -> dict[str, Any]:
    return {"$gt": [revision, {"$ifNull": ["$revision", 0]}]}


def _member_update(change: MembershipChange) -> UpdateOne:
    row_id = _member_id(change.scope, change.user_id)
    row = {
        "_id": row_id,
        "scope": change.scope.key,
        "user_id": change.user_id,
        "revision": change.revision,
        "role": change.role,
    }
    # $literal: what came in an event is a value, never an expression.
    newer = {"$cond": [_is_newer(change.revision), {"$literal": row}, "$$ROOT"]}
    return UpdateOne({"_id": row_id}, [{"$replaceWith": newer}], upsert=True)


def _scope_update(change: ScopeChange) -> UpdateOne:
    if change.is_deleted:
        return UpdateOne(
            {"_id": change.scope.key}, {"$set": {"is_deleted": True}}, upsert=True
        )
    row = {
        "is_archived": {
            "$cond": [
                _is_newer(change.revision),
                change.is_archived,
                {"$ifNull": ["$is_archived", False]},
            ]
        },
        "revision": {"$max": [change.revision, {"$ifNull": ["$revision", 0]}]},
    }
    return UpdateOne({"_id": change.scope.key}, [{"$set": row}], upsert=True)
