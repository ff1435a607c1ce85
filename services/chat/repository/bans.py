"""Bans in MongoDB."""

from collections.abc import Sequence
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, UserId
from services.chat.domain.ban import Ban
from services.chat.ports import Session
from services.chat.repository.documents import Document, member_key


class MongoBanRepository:
    """Implements `BanRepository`."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._bans = database["bans"]

    async def get(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        *,
        session: Session = None,
    ) -> Ban | None:
        """Return a user's ban, or None."""
        query = {"_id": member_key(conversation_id, user_id)}
        document = await self._bans.find_one(query, session=session)
        return None if document is None else _ban_of(document)

    async def put(self, ban: Ban, *, session: Session) -> None:
        """Store a ban; one that is there stays as it is."""
        document: Document = {
            "conversation_id": ban.conversation_id,
            "user_id": ban.user_id,
            "banned_by": ban.banned_by,
            "banned_at": ban.banned_at,
        }
        await self._bans.update_one(
            {"_id": member_key(ban.conversation_id, ban.user_id)},
            {"$setOnInsert": document},
            upsert=True,
            session=session,
        )

    async def remove(
        self, conversation_id: ConversationId, user_id: UserId, *, session: Session
    ) -> bool:
        """Lift a ban; tell whether there was one."""
        query = {"_id": member_key(conversation_id, user_id)}
        result = await self._bans.delete_one(query, session=session)
        return result.deleted_count == 1

    async def page(
        self, conversation_id: ConversationId, *, after: str, limit: int
    ) -> list[Ban]:
        """Return a conversation's bans in the order of their user ids."""
        query = {"conversation_id": conversation_id, "user_id": {"$gt": after}}
        with map_mongo_errors():
            found = self._bans.find(query, limit=limit).sort("user_id", 1)
            return [_ban_of(document) for document in await found.to_list()]

    async def count(
        self, conversation_id: ConversationId, *, session: Session = None
    ) -> int:
        """Count a conversation's bans."""
        query = {"conversation_id": conversation_id}
        return await self._bans.count_documents(query, session=session)

    async def banned_from(
        self, user_id: UserId, conversation_ids: Sequence[ConversationId]
    ) -> set[ConversationId]:
        """Return those of the conversations that the user is banned from."""
        keys = [member_key(one, user_id) for one in conversation_ids]
        with map_mongo_errors():
            found = self._bans.find({"_id": {"$in": keys}}, {"conversation_id": 1})
            documents = await found.to_list()
        return {ConversationId(document["conversation_id"]) for document in documents}


def _ban_of(document: Document) -> Ban:
    return Ban(
        conversation_id=ConversationId(document["conversation_id"]),
        user_id=UserId(document["user_id"]),
        banned_by=UserId(document["banned_by"]),
        banned_at=document["banned_at"],
    )
