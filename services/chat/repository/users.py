"""The projection of users in MongoDB."""

from collections.abc import Sequence
from typing import Any

import msgspec
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import UserId
from services.chat.domain.user import User
from services.chat.ports import Session


class MongoUserRepository:
    """Implements `UserRepository`."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._users = database["users"]

    async def get(self, user_id: UserId, *, session: Session = None) -> User | None:
        """Return a user, or None."""
        document = await self._users.find_one({"_id": user_id}, session=session)
        return None if document is None else _user_of(document)

    async def find_by_handle(self, handle: str) -> User | None:
        """Return who has a handle now, or None."""
        with map_mongo_errors():
            document = await self._users.find_one({"handle": handle})
        return None if document is None else _user_of(document)

    async def active_among(
        self, user_ids: Sequence[UserId], *, session: Session = None
    ) -> set[UserId]:
        """Return those of the users that can take part."""
        if not user_ids:
            return set()
        query = {
            "_id": {"$in": list(user_ids)},
            "is_verified": True,
            "is_suspended": False,
            "is_deleted": False,
        }
        if session is not None:
            found = await self._users.find(query, {"_id": 1}, session=session).to_list()
        else:
            with map_mongo_errors():
                found = await self._users.find(query, {"_id": 1}).to_list()
        return {UserId(document["_id"]) for document in found}

    async def bots_among(self, user_ids: Sequence[UserId]) -> set[UserId]:
        """Return those of the users that are bots."""
        query = {"_id": {"$in": list(user_ids)}, "is_bot": True}
        with map_mongo_errors():
            found = await self._users.find(query, {"_id": 1}).to_list()
        return {UserId(document["_id"]) for document in found}

    async def put(self, user: User, *, session: Session) -> None:
        """Store a user, new or changed."""
        fields = msgspec.structs.asdict(user)
        user_id = fields.pop("user_id")
        await self._users.replace_one(
            {"_id": user_id}, fields, upsert=True, session=session
        )


def _user_of(document: dict[str, Any]) -> User:
    document["user_id"] = document.pop("_id")
    return msgspec.convert(document, User)
