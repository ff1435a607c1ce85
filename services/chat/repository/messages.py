"""Messages in MongoDB."""

from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, MessageId
from services.chat.domain.conversation import Member
from services.chat.domain.message import Message
from services.chat.ports import Page, Session
from services.chat.repository.documents import (
    Document,
    member_of,
    message_document,
    message_of,
)
from services.chat.repository.vault import ConversationVault


class MongoMessageRepository:
    """Implements `MessageRepository`."""

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], vault: ConversationVault
    ) -> None:
        self._conversations = database["conversations"]
        self._messages = database["messages"]
        self._members = database["members"]
        self._vault = vault

    async def get(
        self,
        conversation_id: ConversationId,
        message_id: MessageId,
        *,
        session: Session = None,
    ) -> Message | None:
        """Return a message of the conversation, or None."""
        document = await self._messages.find_one(
            {"_id": message_id, "conversation_id": conversation_id}, session=session
        )
        if document is None:
            return None
        await self._learn_keys(conversation_id)
        return message_of(document, self._vault)

    async def replace(self, message: Message, *, session: Session) -> None:
        """Store a changed message."""
        await self._messages.replace_one(
            {"_id": message.message_id},
            message_document(message, self._vault),
            session=session,
        )

    async def page(
        self,
        conversation_id: ConversationId,
        *,
        before: int | None,
        after: int | None,
        limit: int,
    ) -> Page:
        """Return up to `limit` messages next to a seq, or the newest ones."""
        query: Document = {"conversation_id": conversation_id}
        if before is not None:
            query["seq"] = {"$lt": before}
        if after is not None:
            query["seq"] = {"$gt": after}
        direction = 1 if after is not None else -1
        with map_mongo_errors():
            cursor = self._messages.find(query, limit=limit + 1).sort("seq", direction)
            documents = await cursor.to_list()
            await self._learn_keys(conversation_id)
        shown = documents[:limit]
        if direction < 0:
            shown.reverse()
        messages = tuple(message_of(document, self._vault) for document in shown)
        return Page(messages, has_more=len(documents) > limit)

    async def changed(
        self, conversation_id: ConversationId, *, since: int, until: int, limit: int
    ) -> tuple[list[Message], list[Member]]:
        """Return messages and members with since < revision <= until, by revision."""
        query: Document = {
            "conversation_id": conversation_id,
            "revision": {"$gt": since, "$lte": until},
        }
        with map_mongo_errors():
            messages = await (
                self._messages.find(query, limit=limit).sort("revision", 1).to_list()
            )
            members = await (
                self._members.find(query, limit=limit).sort("revision", 1).to_list()
            )
            if len(members) == limit:
                members = await self._whole_revision(conversation_id, members)
            await self._learn_keys(conversation_id)
        return (
            [message_of(document, self._vault) for document in messages],
            [member_of(document) for document in members],
        )

    async def _whole_revision(
        self, conversation_id: ConversationId, members: list[Document]
    ) -> list[Document]:
        """Complete the last revision: creation gives one to all its members."""
        last = members[-1]["revision"]
        rest = self._members.find(
            {"conversation_id": conversation_id, "revision": last}
        )
        earlier = [member for member in members if member["revision"] != last]
        return [*earlier, *await rest.to_list()]

    async def _learn_keys(self, conversation_id: ConversationId) -> None:
        if self._vault.knows(conversation_id):
            return
        document = await self._conversations.find_one(
            {"_id": conversation_id}, {"key_id": 1, "keys": 1}
        )
        if document is not None:
            self._vault.learn(conversation_id, document["key_id"], document["keys"])
