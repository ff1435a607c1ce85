"""Deletes documents that nobody may read any more, in batches."""

from collections.abc import Sequence
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.message import MessageKind
from services.chat.ports import Session
from services.chat.repository.stubs import IS_STUB

OF_CONVERSATION = (
    "messages",
    "message_edits",
    "thread_follows",
    "scheduled_messages",
    "invites",
    "bans",
)
"""Collections whose documents go with their ``conversation_id``."""

OF_USER = (
    "bans",
    "drafts",
    "bookmarks",
    "thread_follows",
    "scheduled_messages",
    "presence_cards",
)
"""Collections whose documents go with their ``user_id``."""

_VERSIONS = "message_edits"


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

    async def place_after(self, user_id: UserId, after: str) -> ConversationId | None:
        """Return the next conversation, by id, that a user ever was in, or None."""
        query = {
            "user_id": user_id,
            "is_active": {"$in": [False, True]},  # the index's second field
            "conversation_id": {"$gt": after},
        }
        with map_mongo_errors():
            document = await self._database["members"].find_one(
                query, {"conversation_id": 1}, sort=[("conversation_id", 1)]
            )
        return None if document is None else ConversationId(document["conversation_id"])

    async def sent_by(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        *,
        limit: int,
        session: Session,
    ) -> list[MessageId]:
        """Return messages of a user that are no tombstones, in no order."""
        query = {
            "conversation_id": conversation_id,
            "sender_id": user_id,
            "is_deleted": {"$ne": True},
            "kind": {"$ne": MessageKind.SYSTEM.value},
        }
        found = self._database["messages"].find(
            query, {"_id": 1}, limit=limit, session=session
        )
        return [MessageId(document["_id"]) for document in await found.to_list()]

    async def forget_versions(
        self, message_ids: Sequence[MessageId], *, session: Session
    ) -> None:
        """Delete what messages said before they were edited."""
        query = {"message_id": {"$in": list(message_ids)}}
        await self._database[_VERSIONS].delete_many(query, session=session)

    async def purge_stubs(
        self, user_id: UserId, conversation_id: ConversationId, *, limit: int
    ) -> int:
        """Delete stubs of what a user sent to a conversation, up to a limit."""
        sent = {"conversation_id": conversation_id, "sender_id": user_id}
        return await self._purge("messages", sent | IS_STUB, limit)

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
            if name == "messages":
                await self.forget_versions(ids, session=None)
            result = await collection.delete_many({"_id": {"$in": ids}})
        return result.deleted_count
