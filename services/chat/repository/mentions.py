"""Unread mentions, counted in MongoDB."""

from collections.abc import Mapping
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, UserId
from services.chat.domain.message import MentionKind
from services.chat.repository.documents import Document

_COUNTED_MAX = 5_000


class MongoMentionCounter:
    """Implements `MentionCounter`: one query, a range of an index for each branch."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._messages = database["messages"]

    async def unread_mentions(
        self, user_id: UserId, read: Mapping[ConversationId, int]
    ) -> dict[ConversationId, int]:
        """Count the messages above a seq that mention a user, or every member."""
        if not read:
            return {}
        with map_mongo_errors():
            cursor = await self._messages.aggregate(mentions_pipeline(user_id, read))
            found = await cursor.to_list()
        return {ConversationId(group["_id"]): group["count"] for group in found}


def mentions_pipeline(
    user_id: str, read: Mapping[ConversationId, int]
) -> list[Document]:
    """Return the query; each conversation has two branches."""
    branches: list[Document] = []
    for conversation_id, seq in read.items():
        above = {"conversation_id": conversation_id, "seq": {"$gt": seq}}
        branches.append(above | {"mentions": user_id})
        branches.append(above | {"mention_kinds": MentionKind.ALL.value})
    return [
        {"$match": {"$or": branches}},
        {"$limit": _COUNTED_MAX},
        {"$match": {"sender_id": {"$ne": user_id}}},
        {"$group": {"_id": "$conversation_id", "count": {"$sum": 1}}},
    ]
