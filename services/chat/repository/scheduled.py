"""Scheduled messages in MongoDB, sealed under their conversation's key."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.crypto import DecryptError
from libs.kernel import ConversationId, DocumentId, UserId
from services.chat.domain.message import Draft, MentionKind
from services.chat.domain.scheduled import Scheduled, ScheduledState
from services.chat.ports import DueAt, Session
from services.chat.repository.documents import Document
from services.chat.repository.keys import StoredKeys
from services.chat.repository.vault import ConversationVault

_PURPOSE = "parley.chat.scheduled.1"
_IDLE = {"$ne": ScheduledState.SENDING.value}
_log = structlog.get_logger()


class MongoScheduledRepository:
    """Implements `ScheduledRepository`; a claimed one is due again after its lease."""

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], vault: ConversationVault
    ) -> None:
        self._scheduled = database["scheduled_messages"]
        self._vault = vault
        self._keys = StoredKeys(database, vault)

    async def add(self, scheduled: Scheduled) -> None:
        """Store a new one."""
        with map_mongo_errors():
            await self._scheduled.insert_one(self._document(scheduled))

    async def get(self, user_id: UserId, scheduled_id: str) -> Scheduled | None:
        """Return a user's, or None."""
        query = {"_id": scheduled_id, "user_id": user_id}
        with map_mongo_errors():
            document = await self._scheduled.find_one(query)
        return None if document is None else await self._opened(document)

    async def page(
        self, user_id: UserId, *, after: DueAt | None, limit: int
    ) -> list[Scheduled]:
        """Return a user's, the next one first."""
        query: Document = {"user_id": user_id}
        if after is not None:
            query["due_at"] = {"$gte": after.due_at}
            query["$or"] = [
                {"due_at": {"$gt": after.due_at}},
                {"_id": {"$gt": after.scheduled_id}},
            ]
        with map_mongo_errors():
            cursor = self._scheduled.find(query, limit=limit)
            documents = await cursor.sort([("due_at", 1), ("_id", 1)]).to_list()
        return [await self._opened(document) for document in documents]

    async def count(self, user_id: UserId) -> int:
        """Count a user's."""
        with map_mongo_errors():
            return await self._scheduled.count_documents({"user_id": user_id})

    async def replace(self, scheduled: Scheduled) -> bool:
        """Store a changed one that is not being sent; tell whether it was there."""
        document = self._document(scheduled)
        query = {"_id": scheduled.scheduled_id, "state": _IDLE}
        with map_mongo_errors():
            result = await self._scheduled.replace_one(query, document)
        return result.matched_count == 1

    async def remove(self, user_id: UserId, scheduled_id: str) -> bool:
        """Forget one that is not being sent; tell whether it was there."""
        query = {"_id": scheduled_id, "user_id": user_id, "state": _IDLE}
        with map_mongo_errors():
            result = await self._scheduled.delete_one(query)
        return result.deleted_count == 1

    async def claim(self, now: datetime, lease: timedelta) -> Scheduled | None:
        """Take one that is due, or was left in the middle, and nobody works on."""
        open_states = [ScheduledState.WAITING.value, ScheduledState.SENDING.value]
        claimed = {"state": ScheduledState.SENDING.value, "lease_until": now + lease}
        with map_mongo_errors():
            document = await self._scheduled.find_one_and_update(
                {
                    "state": {"$in": open_states},
                    "due_at": {"$lte": now},
                    "lease_until": {"$lte": now},
                },
                {"$set": claimed},
                sort=[("due_at", 1)],
                return_document=ReturnDocument.AFTER,
            )
        return None if document is None else await self._opened(document)

    async def settle(self, scheduled: Scheduled, *, session: Session = None) -> None:
        """Store what came of a claimed one: it failed, or waits once more."""
        settled = {
            "state": scheduled.state.value,
            "code": scheduled.code,
            "due_at": scheduled.due_at,
            "lease_until": scheduled.due_at,
        }
        query = {"_id": scheduled.scheduled_id}
        if session is not None:
            await self._scheduled.update_one(query, {"$set": settled}, session=session)
            return
        with map_mongo_errors():
            await self._scheduled.update_one(query, {"$set": settled})

    async def forget(self, scheduled: Scheduled) -> None:
        """Forget a claimed one: it was sent."""
        with map_mongo_errors():
            await self._scheduled.delete_one({"_id": scheduled.scheduled_id})

    def open_text(self, document: Document) -> str:
        """Open the text of a stored one; its conversation's keys must be known.

        Raises:
            KeyNotLoadedError: The keys are not here.
            DecryptError: It was altered, or belongs elsewhere.
        """
        place = (document["conversation_id"], document["_id"], document["user_id"])
        return self._vault.open_text(_PURPOSE, place, document["body"])

    def _document(self, scheduled: Scheduled) -> Document:
        draft = scheduled.draft
        return {
            "_id": scheduled.scheduled_id,
            "user_id": scheduled.user_id,
            "conversation_id": draft.conversation_id,
            "due_at": scheduled.due_at,
            "lease_until": scheduled.due_at,
            "state": scheduled.state.value,
            "code": scheduled.code,
            "body": self._vault.seal_text(_PURPOSE, _place(scheduled), draft.text),
            "attachments": list(draft.attachments),
            "mentions": list(draft.mentions),
            "mention_kinds": [kind.value for kind in draft.mention_kinds],
            "reply_to_seq": draft.reply_to_seq,
            "thread_seq": draft.thread_seq,
        }

    async def _opened(self, document: Document) -> Scheduled:
        """Open one; a text that does not open is empty, and so it will fail."""
        await self._keys.load([document])
        try:
            text = self.open_text(document)
        except DecryptError:
            _log.error("scheduled_unreadable", scheduled_id=document["_id"])
            text = ""
        return Scheduled(
            scheduled_id=document["_id"],
            draft=_draft_of(document, text),
            due_at=document["due_at"],
            state=ScheduledState(document["state"]),
            code=document["code"],
        )


def _place(scheduled: Scheduled) -> tuple[str, ...]:
    draft = scheduled.draft
    return (draft.conversation_id, scheduled.scheduled_id, draft.sender_id)


def _draft_of(document: Document, text: str) -> Draft:
    return Draft(
        conversation_id=ConversationId(document["conversation_id"]),
        sender_id=UserId(document["user_id"]),
        client_message_id=document["_id"],
        text=text,
        attachments=tuple(DocumentId(one) for one in document["attachments"]),
        mentions=tuple(UserId(one) for one in document["mentions"]),
        mention_kinds=tuple(map(MentionKind, document["mention_kinds"])),
        reply_to_seq=document["reply_to_seq"],
        thread_seq=document["thread_seq"],
    )
