"""What users show of themselves, in MongoDB; the words are sealed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.crypto import DecryptError, FieldSealer, KeyUnknownError, Sealed
from libs.kernel import ConversationId, UserId
from services.chat.domain.presence import (
    CustomStatus,
    LastSeen,
    PresenceCard,
    status_of_words,
    status_words,
)
from services.chat.ports import Session
from services.chat.repository.documents import Document

_PURPOSE = "parley.chat.custom-status.1"
_STATUS = {"status": "", "status_expires_at": ""}
_log = structlog.get_logger()


class MongoPresenceCards:
    """Implements `PresenceCardRepository`.

    A status lives as long as a person's day, and is told to the other processes at
    once: it is sealed under the transport ring, bound to its user.

    Args:
        database: Of the service.
        sealer: Of the message-transport ring.
    """

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], sealer: FieldSealer
    ) -> None:
        self._cards = database["presence_cards"]
        self._sealer = sealer

    async def get_many(self, user_ids: Sequence[UserId]) -> dict[UserId, PresenceCard]:
        """Return the cards of those who have one."""
        with map_mongo_errors():
            found = await self._cards.find(
                {"user_id": {"$in": list(user_ids)}}
            ).to_list()
        return {UserId(d["user_id"]): self._card_of(d) for d in found}

    async def put_last_seen(self, user_id: UserId, last_seen: LastSeen) -> None:
        """Store who may learn when the user was last seen."""
        chosen = {"user_id": user_id, "last_seen": last_seen.value}
        with map_mongo_errors():
            await self._cards.update_one(
                {"_id": user_id}, {"$set": chosen}, upsert=True
            )

    async def put_status(
        self, user_id: UserId, status: CustomStatus, *, session: Session
    ) -> None:
        """Store a status in place of an earlier one."""
        sealed = self._sealer.seal(status_words(status), _PURPOSE, user_id)
        said = {
            "user_id": user_id,
            "status": {"k": sealed.key_id, "c": sealed.ciphertext},
            "status_expires_at": status.expires_at,
        }
        await self._cards.update_one(
            {"_id": user_id}, {"$set": said}, upsert=True, session=session
        )

    async def clear_status(self, user_id: UserId, *, session: Session) -> bool:
        """Take a status away; tell whether there was one."""
        return await self._clear({"_id": user_id, "status": {"$exists": True}}, session)

    async def due(self, now: datetime, *, limit: int) -> list[UserId]:
        """Return whose status has expired and is not taken away yet."""
        query = {"status_expires_at": {"$type": "date", "$lte": now}}
        with map_mongo_errors():
            found = self._cards.find(query, {"user_id": 1}, limit=limit)
            return [UserId(document["user_id"]) for document in await found.to_list()]

    async def expire_status(
        self, user_id: UserId, now: datetime, *, session: Session
    ) -> bool:
        """Take away a status that has expired; tell whether there was one."""
        expired = {"$type": "date", "$lte": now}
        return await self._clear(
            {"_id": user_id, "status_expires_at": expired}, session
        )

    async def _clear(self, query: Document, session: Session) -> bool:
        result = await self._cards.update_one(
            query, {"$unset": _STATUS}, session=session
        )
        return result.modified_count == 1

    def _card_of(self, document: Document) -> PresenceCard:
        chosen = document.get("last_seen")
        return PresenceCard(
            user_id=UserId(document["user_id"]),
            last_seen=None if chosen is None else LastSeen(chosen),
            custom_status=self._status_of(document),
        )

    def _status_of(self, document: Document) -> CustomStatus | None:
        """Open a status; one whose key is gone, or that was altered, is none."""
        stored = document.get("status")
        if stored is None:
            return None
        sealed = Sealed(stored["k"], stored["c"])
        try:
            words = self._sealer.open(sealed, _PURPOSE, document["user_id"])
        except (DecryptError, KeyUnknownError):
            _log.error("custom_status_unreadable", user_id=document["user_id"])
            return None
        return status_of_words(words, document.get("status_expires_at"))


class MongoContactRepository:
    """Implements `ContactRepository`."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._members = database["members"]

    async def places_among(
        self,
        user_ids: Sequence[UserId],
        conversation_ids: Sequence[ConversationId],
    ) -> dict[UserId, list[ConversationId]]:
        """Return which of some conversations each user is in, in one query."""
        query: Document = {
            "user_id": {"$in": list(user_ids)},
            "is_active": True,
            "conversation_id": {"$in": list(conversation_ids)},
        }
        wanted = {"_id": 0, "user_id": 1, "conversation_id": 1}
        places: dict[UserId, list[ConversationId]] = {}
        with map_mongo_errors():
            for found in await self._members.find(query, wanted).to_list():
                place = ConversationId(found["conversation_id"])
                places.setdefault(UserId(found["user_id"]), []).append(place)
        return places

    async def contacts_among(
        self, user_id: UserId, user_ids: Sequence[UserId]
    ) -> set[UserId]:
        """Return those of the users that share a conversation with a user."""
        own: Document = {"user_id": user_id, "is_active": True}
        with map_mongo_errors():
            places = await self._members.distinct("conversation_id", own)
        return set(await self.places_among(user_ids, places))
