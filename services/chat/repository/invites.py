"""Invites in MongoDB."""

from datetime import datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import Role
from services.chat.domain.invite import Invite
from services.chat.ports import Session
from services.chat.repository.documents import Document


class MongoInviteRepository:
    """Implements `InviteRepository`."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._invites = database["invites"]

    async def insert(self, invite: Invite, *, session: Session) -> None:
        """Store a new invite."""
        await self._invites.insert_one(
            {
                "_id": invite.invite_id,
                "conversation_id": invite.conversation_id,
                "token_hash": invite.token_hash,
                "role": invite.role.value,
                "created_by": invite.created_by,
                "created_at": invite.created_at,
                "expires_at": invite.expires_at,
                "uses_max": invite.uses_max,
                "uses": invite.uses,
            },
            session=session,
        )

    async def find(self, token_hash: bytes, *, session: Session) -> Invite | None:
        """Return the invite whose token has a hash, or None."""
        query = {"token_hash": token_hash}
        document = await self._invites.find_one(query, session=session)
        return None if document is None else _invite_of(document)

    async def take_use(
        self, invite_id: str, now: datetime, *, session: Session
    ) -> bool:
        """Count one use, if the invite is still open; tell whether it was."""
        result = await self._invites.update_one(
            {
                "_id": invite_id,
                "expires_at": {"$gt": now},
                "$or": [
                    {"uses_max": None},
                    {"$expr": {"$lt": ["$uses", "$uses_max"]}},
                ],
            },
            {"$inc": {"uses": 1}},
            session=session,
        )
        return result.modified_count == 1

    async def remove(
        self, conversation_id: ConversationId, invite_id: str, *, session: Session
    ) -> bool:
        """Forget a conversation's invite; tell whether there was one."""
        query = {"_id": invite_id, "conversation_id": conversation_id}
        result = await self._invites.delete_one(query, session=session)
        return result.deleted_count == 1

    async def page(
        self, conversation_id: ConversationId, now: datetime, *, after: str, limit: int
    ) -> list[Invite]:
        """Return invites that have not expired, in the order of their ids."""
        query = {
            "conversation_id": conversation_id,
            "_id": {"$gt": after},
            "expires_at": {"$gt": now},
        }
        with map_mongo_errors():
            found = self._invites.find(query, limit=limit).sort("_id", 1)
            return [_invite_of(document) for document in await found.to_list()]

    async def count(
        self, conversation_id: ConversationId, now: datetime, *, session: Session
    ) -> int:
        """Count a conversation's invites that have not expired."""
        query = {"conversation_id": conversation_id, "expires_at": {"$gt": now}}
        return await self._invites.count_documents(query, session=session)


def _invite_of(document: Document) -> Invite:
    return Invite(
        invite_id=document["_id"],
        conversation_id=ConversationId(document["conversation_id"]),
        token_hash=document["token_hash"],
        role=Role(document["role"]),
        created_by=UserId(document["created_by"]),
        created_at=document["created_at"],
        expires_at=document["expires_at"],
        uses_max=document["uses_max"],
        uses=document["uses"],
    )
