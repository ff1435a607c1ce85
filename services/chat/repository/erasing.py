"""Deletes documents that nobody may read any more, in batches."""

from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, UserId

OF_CONVERSATION = ("messages", "invites", "bans")
"""Collections whose documents go with their ``conversation_id``."""

OF_USER = ("bans",)
"""Collections whose documents go with their ``user_id``."""


class MongoEraserStore:
    """Implements `EraserStore`."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._database = database

    async def purge_conversation(
        self, conversation_id: ConversationId, *, limit: int
    ) -> int:
        """Delete documents of a conversation, up to a limit of each kind."""
        query = {"conversation_id": conversation_id}
        purged = [await self._purge(name, query, limit) for name in OF_CONVERSATION]
        return sum(purged)

    async def purge_user(self, user_id: UserId, *, limit: int) -> int:
        """Delete what is a user's own, up to a limit of each kind."""
        purged = [
            await self._purge(name, {"user_id": user_id}, limit) for name in OF_USER
        ]
        made = await self._purge("invites", {"created_by": user_id}, limit)
        return sum(purged) + made

    async def _purge(self, name: str, query: dict[str, Any], limit: int) -> int:
        collection = self._database[name]
        with map_mongo_errors():
            found = await collection.find(query, {"_id": 1}, limit=limit).to_list()
            if not found:
                return 0
            ids = [document["_id"] for document in found]
            result = await collection.delete_many({"_id": {"$in": ids}})
        return result.deleted_count
