"""Stored conversations for who checks them, in MongoDB."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.crypto import DecryptError
from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.integrity import (
    SeenConversation,
    SeenMember,
    SeenMessage,
    SeenText,
)
from services.chat.repository.keys import StoredKeys
from services.chat.repository.message_documents import place_of
from services.chat.repository.own_documents import OwnTexts
from services.chat.repository.scheduled import MongoScheduledRepository
from services.chat.repository.stubs import is_stub
from services.chat.repository.vault import ConversationVault, KeyNotLoadedError
from services.chat.repository.versions import MongoVersionRepository

Document = dict[str, Any]  # what BSON holds

_BATCH = 500
_FIELDS = ("title", "topic")
_DOES_NOT_OPEN = (DecryptError, KeyNotLoadedError)  # the latter: no such key is stored


class MongoInspectionStore:
    """Implements `InspectionStore`."""

    def __init__(
        self, database: AsyncDatabase[Document], vault: ConversationVault
    ) -> None:
        self._conversations = database["conversations"]
        self._messages = database["messages"]
        self._members = database["members"]
        self._vault = vault
        self._keys = StoredKeys(database, vault)
        self._versions = MongoVersionRepository(database, vault)
        texts = OwnTexts(database, vault)
        self._own = (
            ("draft", database["drafts"], texts.open_draft),
            ("note", database["bookmarks"], texts.open_note),
            (
                "scheduled",
                database["scheduled_messages"],
                MongoScheduledRepository(database, vault).open_text,
            ),
        )

    async def count(self) -> int:
        """Return about how many conversations there are, deleted ones too."""
        with map_mongo_errors():
            return await self._conversations.estimated_document_count()

    async def conversation_ids(self, *, after: str, limit: int) -> list[ConversationId]:
        """Return conversations in the order of their ids, deleted ones too."""
        with map_mongo_errors():
            found = self._conversations.find({"_id": {"$gt": after}}, {"_id": 1})
            documents = await found.sort("_id", 1).limit(limit).to_list()
        return [ConversationId(document["_id"]) for document in documents]

    async def conversation(
        self, conversation_id: ConversationId
    ) -> SeenConversation | None:
        """Return a conversation as it is stored now, or None."""
        with map_mongo_errors():
            document = await self._conversations.find_one({"_id": conversation_id})
        if document is None:
            return None
        await self._vault.learn(document)
        keys = [key["id"] for key in document["keys"]]
        return SeenConversation(
            conversation_id=conversation_id,
            first_seq=document.get("first_seq", 1),
            last_seq=document["last_seq"],
            revision=document["revision"],
            changed_revision=document["changed_revision"],
            is_deleted=document.get("is_deleted", False),
            has_keys=bool(keys),
            unreadable=(
                *(name for name in _FIELDS if not self._opens_field(document, name)),
                *(f"key {key}" for key in keys if not self._opens_key(document, key)),
            ),
        )

    async def messages(
        self, conversation_id: ConversationId
    ) -> AsyncIterator[SeenMessage]:
        """Yield all messages and stubs in the order of seq, as it is stored."""
        query = {"conversation_id": conversation_id}
        wanted = ("seq", "body", "sender_id", "conversation_id", "edit_count")
        cursor = self._messages.find(query, wanted, batch_size=_BATCH).sort("seq", 1)
        async with cursor:
            with map_mongo_errors():
                while batch := await cursor.to_list(_BATCH):
                    await self._keys.load(batch)
                    lost = await self._versions.unreadable(batch)
                    for document in batch:
                        message_id = MessageId(document["_id"])
                        is_whole = message_id not in lost and self._is_whole(document)
                        yield SeenMessage(message_id, document["seq"], is_whole)

    async def message_revisions(
        self, conversation_id: ConversationId
    ) -> AsyncIterator[int]:
        """Yield the revision of every message, in order, from the index alone."""
        query, wanted = {"conversation_id": conversation_id}, {"_id": 0, "revision": 1}
        cursor = self._messages.find(query, wanted).sort("revision", 1)
        async with cursor:
            with map_mongo_errors():
                async for document in cursor:
                    yield document["revision"]

    async def own_writings(
        self, conversation_id: ConversationId
    ) -> AsyncIterator[SeenText]:
        """Yield the drafts, notes and scheduled messages of a conversation."""
        query = {"conversation_id": conversation_id, "body": {"$exists": True}}
        for kind, collection, open_one in self._own:
            cursor = collection.find(query, batch_size=_BATCH)
            async with cursor:
                with map_mongo_errors():
                    while batch := await cursor.to_list(_BATCH):
                        await self._keys.load(batch)
                        for document in batch:
                            is_readable = _opens(open_one, document)
                            yield SeenText(kind, document["_id"], is_readable)

    async def members(
        self, conversation_id: ConversationId
    ) -> AsyncIterator[SeenMember]:
        """Yield all memberships, ended ones too, in no order."""
        cursor = self._members.find({"conversation_id": conversation_id})
        async with cursor:
            with map_mongo_errors():
                async for document in cursor:
                    yield SeenMember(
                        user_id=UserId(document["user_id"]),
                        revision=document["revision"],
                        read_seq=document["read_seq"],
                        visible_from_seq=document.get("visible_from_seq", 1),
                    )

    def _opens_field(self, document: Document, name: str) -> bool:
        try:
            self._vault.open_field(name, document["_id"], document.get(name))
        except _DOES_NOT_OPEN:
            return False
        return True

    def _opens_key(self, document: Document, key_id: str) -> bool:
        return self._vault.opens(document["_id"], key_id)

    def _is_whole(self, document: Document) -> bool:
        body = document.get("body")
        if body is None or is_stub(document):
            return body is None
        try:
            self._vault.open_body(place_of(document), body)
        except _DOES_NOT_OPEN:
            return False
        return True


def _opens(open_one: Callable[[Document], str], document: Document) -> bool:
    try:
        open_one(document)
    except _DOES_NOT_OPEN:
        return False
    return True
