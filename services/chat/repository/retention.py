"""Old messages in MongoDB."""

from datetime import datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId
from services.chat.domain.message import MessageKind
from services.chat.repository.documents import NOT_DELETED
from services.chat.repository.stubs import IS_MESSAGE, TO_STUB

Document = dict[str, Any]  # what BSON holds

_WINDOW = 20_000  # messages looked at in one query


class MongoRetentionStore:
    """Implements `RetentionStore`."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._conversations = database["conversations"]
        self._messages = database["messages"]
        self._versions = database["message_edits"]
        self._users = database["users"]

    async def conversations(
        self, *, is_all: bool, after: str, limit: int
    ) -> list[ConversationId]:
        """Return conversations that have a retention, in the order of their ids."""
        query: Document = {"_id": {"$gt": after}, **NOT_DELETED}
        if not is_all:
            query["retention_days"] = {"$gt": 0}
        with map_mongo_errors():
            found = self._conversations.find(query, {"_id": 1}, limit=limit)
            documents = await found.sort("_id", 1).to_list()
        return [ConversationId(document["_id"]) for document in documents]

    async def first_kept(
        self,
        conversation_id: ConversationId,
        *,
        first_seq: int,
        last_seq: int,
        sent_from: datetime,
    ) -> int:
        """Return the seq of the first message sent at a time or later.

        Looks at what will be deleted and one more: no index on the time is needed.
        """
        for start in range(first_seq, last_seq + 1, _WINDOW):
            query = {
                "conversation_id": conversation_id,
                "seq": {"$gte": start, "$lt": start + _WINDOW},
                "sent_at": {"$gte": sent_from},
            }
            with map_mongo_errors():
                found = await self._messages.find_one(
                    query, {"seq": 1}, sort=[("seq", 1)]
                )
            if found is not None:
                return int(found["seq"])
        return last_seq + 1

    async def forget_below(
        self, conversation_id: ConversationId, seq: int, *, limit: int
    ) -> int:
        """Make up to `limit` messages below a seq stubs, or delete them."""
        query = {"conversation_id": conversation_id, "seq": {"$gt": 0, "$lt": seq}}
        fields = {"sender_id": 1, "kind": 1}
        with map_mongo_errors():
            found = await self._messages.find(query, fields, limit=limit).to_list()
            if not found:
                return 0
            every = {"$in": [document["_id"] for document in found]}
            sent = {"$in": await self._sent_among(found)}
            await self._versions.delete_many({"message_id": every})
            await self._messages.update_many({"_id": sent, **IS_MESSAGE}, TO_STUB)
            await self._messages.delete_many({"_id": every, **IS_MESSAGE})
        return len(found)

    async def _sent_among(self, messages: list[Document]) -> list[str]:
        """Return those that somebody who is there could send again."""
        text = MessageKind.TEXT.value
        sent = [one for one in messages if one.get("kind", text) == text]
        senders = {one["sender_id"] for one in sent}
        erased = await self._users.distinct(
            "_id", {"_id": {"$in": list(senders)}, "is_deleted": True}
        )
        return [one["_id"] for one in sent if one["sender_id"] not in erased]
