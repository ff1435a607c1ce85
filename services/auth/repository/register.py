"""Accounts as administrators see them, and custom roles, in MongoDB."""

from collections.abc import Collection, Sequence
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import driver_errors
from libs.kernel import UserId
from services.auth.domain import (
    CustomRole,
    Permission,
    Role,
    User,
    UserFilter,
)
from services.auth.domain import UserStatus as Status
from services.auth.ports import DatabaseSession
from services.auth.repository.users import MongoUserRepository, begins_with

Document = dict[str, Any]

_ADMINS = "admins"


class MongoUserRegister:
    """Collection ``users`` by what administrators ask; ``guards`` beside it."""

    INDEXES = (
        IndexModel([("status", ASCENDING), ("_id", ASCENDING)], name="status"),
        IndexModel([("roles", ASCENDING), ("_id", ASCENDING)], name="roles"),
        IndexModel(
            [("is_bot", ASCENDING), ("_id", ASCENDING)],
            name="bots",
            partialFilterExpression={"is_bot": True},
        ),
    )

    def __init__(
        self, database: AsyncDatabase[Document], users: MongoUserRepository
    ) -> None:
        self._users = database["users"]
        self._guards = database["guards"]
        self._read = users.read

    async def create_indexes(self) -> None:
        """Make the indexes and the guard; idempotent."""
        with driver_errors(None):
            await self._users.create_indexes(list(self.INDEXES))
            await self._guards.update_one(
                {"_id": _ADMINS}, {"$setOnInsert": {"changes": 0}}, upsert=True
            )

    async def find(
        self, wanted: UserFilter, *, after: str | None, limit: int
    ) -> Sequence[User]:
        """Return the users that meet every criterion; see `UserRegister.find`."""
        with driver_errors(None):
            cursor = (
                self._users.find(_condition(wanted, after))
                .sort("_id", ASCENDING)
                .limit(limit)
            )
            return [self._read(document) async for document in cursor]

    async def has_other_admin(self, user_id: UserId, session: DatabaseSession) -> bool:
        """Tell it, one transaction at a time; see `UserRegister.has_other_admin`."""
        others = {
            "_id": {"$ne": user_id},
            "roles": Role.ADMIN.value,
            "status": Status.ACTIVE.value,
            "deletion_due_at": None,
        }
        with driver_errors(session):
            await self._guards.update_one(
                {"_id": _ADMINS}, {"$inc": {"changes": 1}}, session=session
            )
            return await self._users.find_one(others, session=session) is not None

    async def has_role(self, name: str, session: DatabaseSession) -> bool:
        """Tell whether anybody has a role."""
        with driver_errors(session):
            found = await self._users.find_one({"roles": name}, session=session)
        return found is not None


class MongoRoleRepository:
    """Collection ``roles``: ``_id`` is the name."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._roles = database["roles"]

    async def all(self) -> Sequence[CustomRole]:
        """Return every custom role, by name."""
        with driver_errors(None):
            cursor = self._roles.find().sort("_id", ASCENDING)
            return [_role(document) async for document in cursor]

    async def get(self, name: str, session: DatabaseSession) -> CustomRole | None:
        """Return a custom role."""
        found = await self.named([name], session)
        return found[0] if found else None

    async def named(
        self, names: Collection[str], session: DatabaseSession
    ) -> Sequence[CustomRole]:
        """Return those of these roles that exist."""
        if not names:
            return []
        with driver_errors(session):
            cursor = self._roles.find({"_id": {"$in": list(names)}}, session=session)
            return [_role(document) async for document in cursor.sort("_id")]

    async def pin(
        self, names: Collection[str], session: DatabaseSession
    ) -> Sequence[CustomRole]:
        """Return those that exist, and hold them; see `RoleRepository.pin`."""
        if names:
            with driver_errors(session):
                await self._roles.update_many(
                    {"_id": {"$in": list(names)}},
                    {"$currentDate": {"pinned_at": True}},
                    session=session,
                )
        return await self.named(names, session)

    async def put(self, role: CustomRole, session: DatabaseSession) -> None:
        """Store a role in place of the one of its name."""
        document = {
            "description": role.description,
            "permissions": sorted(role.permissions),
            "updated_at": role.updated_at,
        }
        with driver_errors(session):
            await self._roles.replace_one(
                {"_id": role.name}, document, upsert=True, session=session
            )

    async def remove(self, name: str, session: DatabaseSession) -> bool:
        """Remove a role; False if there was none."""
        with driver_errors(session):
            result = await self._roles.delete_one({"_id": name}, session=session)
        return result.deleted_count == 1


def _condition(wanted: UserFilter, after: str | None) -> Document:
    criteria: Document = {
        "search_keys": begins_with(wanted.name_key) if wanted.name_key else None,
        "handle": wanted.handle,
        "status": wanted.status,
        "roles": wanted.role,
        "is_bot": _kind(wanted.is_bot),
        "_id": {"$gt": after} if after else None,
    }
    return {name: value for name, value in criteria.items() if value is not None}


def _kind(is_bot: bool | None) -> Document | bool | None:  # noqa: FBT001 - a criterion
    return {"$ne": True} if is_bot is False else is_bot


def _role(document: Document) -> CustomRole:
    known = set(Permission)
    return CustomRole(
        name=document["_id"],
        description=document["description"],
        # A permission that a later version no longer has allows nothing.
        permissions=frozenset(
            Permission(name) for name in document["permissions"] if name in known
        ),
        updated_at=document["updated_at"],
    )
