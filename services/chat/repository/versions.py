"""Earlier versions of edited messages in MongoDB, sealed like the messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.crypto import DecryptError
from libs.kernel import MessageId
from services.chat.domain.message import Message, Version
from services.chat.ports import Session
from services.chat.repository.documents import Document
from services.chat.repository.keys import StoredKeys
from services.chat.repository.vault import ConversationVault, KeyNotLoadedError

_PURPOSE = "parley.chat.version.1"
_log = structlog.get_logger()


class MongoVersionRepository:
    """Implements `VersionRepository`."""

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], vault: ConversationVault
    ) -> None:
        self._versions = database["message_edits"]
        self._vault = vault
        self._keys = StoredKeys(database, vault)

    async def add(
        self,
        message: Message,
        version: Version,
        *,
        expires_at: datetime | None,
        kept: int,
        session: Session,
    ) -> None:
        """Store a version of a message, and drop what is too many."""
        place = _place(message, version.number)
        document: Document = {
            "_id": f"{message.message_id}:{version.number}",
            "conversation_id": message.conversation_id,
            "message_id": message.message_id,
            "seq": message.seq,
            "number": version.number,
            "written_at": version.written_at,
            "body": self._vault.seal_text(_PURPOSE, place, version.text),
        }
        if expires_at is not None:
            document["expires_at"] = expires_at
        await self._versions.insert_one(document, session=session)
        if version.number > kept:
            oldest = {"$lte": version.number - kept}
            query = {"message_id": message.message_id, "number": oldest}
            await self._versions.delete_many(query, session=session)

    async def page(
        self, message: Message, *, before: int | None, limit: int
    ) -> list[Version]:
        """Return versions of a message, the newest first."""
        query: Document = {"message_id": message.message_id}
        if before is not None:
            query["number"] = {"$lt": before}
        with map_mongo_errors():
            cursor = self._versions.find(query, limit=limit).sort("number", -1)
            documents = await cursor.to_list()
        await self._keys.load(documents)
        return [self._version_of(document, message) for document in documents]

    async def remove_all(self, message_id: MessageId, *, session: Session) -> None:
        """Destroy every version of a message."""
        await self._versions.delete_many({"message_id": message_id}, session=session)

    async def unreadable(self, messages: Sequence[Document]) -> set[str]:
        """Return which of some stored messages have a version that does not open."""
        senders = {m["_id"]: m["sender_id"] for m in messages if m.get("edit_count")}
        if not senders:
            return set()
        with map_mongo_errors():
            found = self._versions.find({"message_id": {"$in": list(senders)}})
            documents = await found.to_list()
        await self._keys.load(documents)
        return {
            document["message_id"]
            for document in documents
            if not self._opens(document, senders[document["message_id"]])
        }

    def _opens(self, document: Document, sender_id: str) -> bool:
        ids = (document["conversation_id"], document["message_id"], sender_id)
        place = (*ids, str(document["number"]))
        try:
            self._vault.open_text(_PURPOSE, place, document["body"])
        except (DecryptError, KeyNotLoadedError):  # the latter: no such key is stored
            return False
        return True

    def _version_of(self, document: Document, message: Message) -> Version:
        place = _place(message, document["number"])
        try:
            text = self._vault.open_text(_PURPOSE, place, document["body"])
        except DecryptError:
            _log.error("version_unreadable", message_id=message.message_id)
            text = ""
        return Version(
            number=document["number"], text=text, written_at=document["written_at"]
        )


def _place(message: Message, number: int) -> tuple[str, ...]:
    """Return what a version is bound to: its message, and its number among them."""
    ids = (message.conversation_id, message.message_id, message.sender_id)
    return (*ids, str(number))
