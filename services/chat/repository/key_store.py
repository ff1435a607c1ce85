"""Wrapped data keys in MongoDB, for those who re-wrap them."""

from datetime import datetime
from typing import Any

import pymongo
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.crypto import WrappedKey
from libs.kernel import ConversationId
from services.chat.ports import KeyCount, StoredKey


class MongoDataKeyStore:
    """Implements `DataKeyStore`; cursors stand in ``key_rotations``."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._conversations = database["conversations"]
        self._rotations = database["key_rotations"]

    async def census(self) -> list[KeyCount]:
        """Count what is wrapped under which key-encryption key, by its id."""
        of_one = {"kek_id": "$keys.kek_id", "conversation_id": "$_id"}
        found = await self._counted(
            [
                {"$unwind": "$keys"},
                {"$group": {"_id": of_one, "keys": {"$sum": 1}}},
                {
                    "$group": {
                        "_id": "$_id.kek_id",
                        "conversations": {"$sum": 1},
                        "keys": {"$sum": "$keys"},
                    }
                },
                {"$sort": {"_id": 1}},
            ]
        )
        return [
            KeyCount(
                kek_id=group["_id"],
                conversations=group["conversations"],
                keys=group["keys"],
            )
            for group in found
        ]

    async def due(self, *, revisions: int, made_before: datetime) -> int:
        """Count the conversations whose current data key is due to be renewed."""
        current = {"$last": "$keys"}
        is_due = {
            "$or": [
                {"$lte": ["$current.made_at", made_before]},
                {
                    "$gte": [
                        {"$subtract": ["$revision", "$current.from_revision"]},
                        revisions,
                    ]
                },
            ]
        }
        found = await self._counted(
            [
                {"$match": {"keys.0": {"$exists": True}}},
                {"$project": {"revision": 1, "current": current}},
                {"$match": {"$expr": is_due}},
                {"$count": "conversations"},
            ]
        )
        return int(found[0]["conversations"]) if found else 0

    async def page(self, kek_id: str, *, after: str, limit: int) -> list[StoredKey]:
        """Return keys that are not under a key-encryption key, by conversation."""
        query = {
            "_id": {"$gt": after},
            "keys": {"$elemMatch": {"kek_id": {"$ne": kek_id}}},
        }
        with pymongo.timeout(None), map_mongo_errors():
            found = self._conversations.find(query, {"keys": 1}, limit=limit)
            documents = await found.sort("_id", 1).to_list()
        return [
            StoredKey(
                conversation_id=ConversationId(document["_id"]),
                key_id=key["id"],
                wrapped=WrappedKey(key["kek_id"], key["wrapped"]),
            )
            for document in documents
            for key in document["keys"]
            if key["kek_id"] != kek_id
        ]

    async def replace(self, old: StoredKey, new: WrappedKey) -> bool:
        """Store a key's new wrapped form; False where it is not as it was."""
        known = {"id": old.key_id, "wrapped": old.wrapped.wrapped}
        change = {"keys.$.kek_id": new.key_id, "keys.$.wrapped": new.wrapped}
        with map_mongo_errors():
            result = await self._conversations.update_one(
                {"_id": old.conversation_id, "keys": {"$elemMatch": known}},
                {"$set": change},
            )
        return result.modified_count == 1

    async def cursor(self, kek_id: str) -> str:
        """Return where the re-wrapping to a key-encryption key goes on."""
        with map_mongo_errors():
            document = await self._rotations.find_one({"_id": kek_id})
        return "" if document is None else str(document["cursor"])

    async def save_cursor(self, kek_id: str, cursor: str) -> None:
        """Remember where to go on."""
        with map_mongo_errors():
            await self._rotations.update_one(
                {"_id": kek_id},
                {"$set": {"cursor": cursor}, "$currentDate": {"moved_at": True}},
                upsert=True,
            )

    async def _counted(self, pipeline: list[dict[str, Any]]) -> list[dict[str, Any]]:
        # Over all conversations: longer than the usual deadline, for an operator.
        with pymongo.timeout(None), map_mongo_errors():
            cursor = await self._conversations.aggregate(pipeline, allowDiskUse=True)
            return await cursor.to_list()
