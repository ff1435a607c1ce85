"""Messages in MongoDB."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.conversation import Conversation, Member
from services.chat.domain.message import Message, MessageKind
from services.chat.domain.slow_mode import SLOW_SCAN_MESSAGES
from services.chat.ports import Changed, Page, PinnedAt, Session
from services.chat.repository.documents import (
    NOT_DELETED,
    Document,
    conversation_of,
    member_of,
)
from services.chat.repository.keys import StoredKeys
from services.chat.repository.message_documents import (
    message_document,
    message_of,
)
from services.chat.repository.stubs import IS_MESSAGE
from services.chat.repository.vault import ConversationVault


class MongoMessageRepository:
    """Implements `MessageRepository`."""

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], vault: ConversationVault
    ) -> None:
        self._client = database.client
        self._conversations = database["conversations"]
        self._messages = database["messages"]
        # What answers a resend must never be rolled back by an election.
        self._durable = self._messages.with_options(
            read_concern=ReadConcern("majority")
        )
        self._members = database["members"]
        self._vault = vault
        self._keys = StoredKeys(database, vault)

    async def get(
        self,
        conversation_id: ConversationId,
        message_id: MessageId,
        *,
        session: Session = None,
    ) -> Message | None:
        """Return a message of the conversation, or None."""
        query = {"_id": message_id, "conversation_id": conversation_id, **IS_MESSAGE}
        return await self._find(query, session)

    async def get_by_seq(
        self, conversation_id: ConversationId, seq: int, *, session: Session = None
    ) -> Message | None:
        """Return the message with a seq, or None."""
        query = {"conversation_id": conversation_id, "seq": seq}
        return await self._find(query, session)

    async def find_sent(
        self, conversation_id: ConversationId, sender_id: UserId, client_message_id: str
    ) -> Message | None:
        """Return what a client's message became, never to be rolled back, or None."""
        query = {
            "conversation_id": conversation_id,
            "sender_id": sender_id,
            "client_message_id": client_message_id,
        }
        with map_mongo_errors():
            document = await self._durable.find_one(query)
        return await self._opened(document)

    async def sent_page(
        self,
        conversation_id: ConversationId,
        sender_id: UserId,
        *,
        after: str | None,
        limit: int,
    ) -> list[Message]:
        """Return what somebody said in a conversation, by client message id.

        That is the order of the index which a resend is found by.
        """
        query: Document = {
            "conversation_id": conversation_id,
            "sender_id": sender_id,
            "client_message_id": {"$gt": after or ""},
            "is_deleted": {"$ne": True},
            "kind": {"$ne": MessageKind.SYSTEM.value},
            **IS_MESSAGE,
        }
        with map_mongo_errors():
            found = self._messages.find(query, limit=limit)
            documents = await found.sort("client_message_id", 1).to_list()
        await self._keys.load(documents)
        return [message_of(document, self._vault) for document in documents]

    async def insert(self, message: Message, *, session: Session) -> None:
        """Store a new message, numbered by the caller's compare-and-set."""
        document = message_document(message, self._vault)
        await self._messages.insert_one(document, session=session)

    async def get_many(self, message_ids: Sequence[MessageId]) -> list[Message]:
        """Return those that exist, of whatever conversation, in no order."""
        with map_mongo_errors():
            wanted = {"_id": {"$in": list(message_ids)}, **IS_MESSAGE}
            found = self._messages.find(wanted)
            documents = await found.to_list()
        await self._keys.load(documents)
        return [message_of(document, self._vault) for document in documents]

    async def replace(self, message: Message, *, session: Session) -> None:
        """Store a changed message."""
        await self._messages.replace_one(
            {"_id": message.message_id},
            message_document(message, self._vault),
            session=session,
        )

    async def last_said_at(
        self, conversation: Conversation, user_id: UserId, *, session: Session
    ) -> datetime | None:
        """Return when a user last sent or edited a message here."""
        query: Document = {
            "conversation_id": conversation.conversation_id,
            "seq": {"$gt": conversation.last_seq - SLOW_SCAN_MESSAGES},
            "sender_id": user_id,
            "kind": {"$ne": MessageKind.SYSTEM.value},
        }
        wanted = {"sent_at": 1, "edited_at": 1}
        found = self._messages.find(query, wanted, session=session)
        times = [one.get("edited_at") or one["sent_at"] async for one in found]
        return max(times, default=None)

    async def page(
        self,
        conversation_id: ConversationId,
        *,
        before: int | None,
        after: int | None,
        limit: int,
        visible_from_seq: int = 1,
        thread_seq: int | None = None,
    ) -> Page:
        """Return up to `limit` messages next to a seq, or the newest ones."""
        bounds = {"$gt": max(after or 0, visible_from_seq - 1)}
        if before is not None:
            bounds["$lt"] = before
        query: Document = {"conversation_id": conversation_id, "seq": bounds}
        if thread_seq is not None:
            query["thread_seq"] = thread_seq
        direction = 1 if after is not None else -1
        with map_mongo_errors():
            cursor = self._messages.find(query, limit=limit + 1).sort("seq", direction)
            documents = await cursor.to_list()
        await self._keys.load(documents)
        shown = documents[:limit]
        if direction < 0:
            shown.reverse()
        messages = tuple(message_of(document, self._vault) for document in shown)
        return Page(messages, has_more=len(documents) > limit)

    async def threads(
        self,
        conversation_id: ConversationId,
        *,
        before: int | None,
        limit: int,
        visible_from_seq: int = 1,
    ) -> list[Message]:
        """Return messages that were answered, the last answered first."""
        answered: Document = {"$exists": True}
        if before is not None:
            answered["$lt"] = before
        query: Document = {
            "conversation_id": conversation_id,
            "last_reply_seq": answered,
            "seq": {"$gte": visible_from_seq},
        }
        with map_mongo_errors():
            cursor = self._messages.find(query, limit=limit)
            documents = await cursor.sort("last_reply_seq", -1).to_list()
        await self._keys.load(documents)
        return [message_of(document, self._vault) for document in documents]

    async def pinned(
        self,
        conversation_id: ConversationId,
        *,
        before: PinnedAt | None,
        limit: int,
        visible_from_seq: int = 1,
    ) -> list[Message]:
        """Return pinned messages, the last pinned first."""
        query: Document = {
            "conversation_id": conversation_id,
            "pinned_at": {"$exists": True},
            "seq": {"$gte": visible_from_seq},
        }
        if before is not None:
            query["pinned_at"] = {"$exists": True, "$lte": before.pinned_at}
            query["$or"] = [
                {"pinned_at": {"$lt": before.pinned_at}},
                {"_id": {"$lt": before.message_id}},
            ]
        with map_mongo_errors():
            cursor = self._messages.find(query, limit=limit)
            documents = await cursor.sort([("pinned_at", -1), ("_id", -1)]).to_list()
        await self._keys.load(documents)
        return [message_of(document, self._vault) for document in documents]

    async def count_pinned(
        self, conversation_id: ConversationId, *, session: Session = None
    ) -> int:
        """Count pinned messages."""
        query: Document = {
            "conversation_id": conversation_id,
            "pinned_at": {"$exists": True},
        }
        return await self._messages.count_documents(query, session=session)

    async def changed(
        self,
        conversation_id: ConversationId,
        *,
        since: int,
        limit: int,
        viewer: Member | None = None,
    ) -> Changed | None:
        """Return what has a revision above `since`, read in one snapshot."""
        query: Document = {
            "conversation_id": conversation_id,
            "revision": {"$gt": since},
        }
        with map_mongo_errors():
            async with self._client.start_session(snapshot=True) as session:
                conversation = await self._conversations.find_one(
                    {"_id": conversation_id, **NOT_DELETED}, session=session
                )
                if conversation is None:
                    return None
                messages = await self._by_revision(
                    self._messages,
                    query | _visible(viewer, since, conversation.get("first_seq", 1)),
                    limit,
                    session,
                )
                members = await self._by_revision(self._members, query, limit, session)
                if len(members) == limit:
                    members = await self._whole_revision(query, members, session)
        shown = await conversation_of(conversation, self._vault)
        await self._keys.load(messages)
        return Changed(
            conversation=shown,
            messages=tuple(message_of(found, self._vault) for found in messages),
            members=tuple(member_of(found) for found in members),
        )

    async def _by_revision(
        self,
        collection: AsyncCollection[Document],
        query: Document,
        limit: int,
        session: Session,
    ) -> list[Document]:
        cursor = collection.find(query, limit=limit, session=session)
        return await cursor.sort("revision", 1).to_list()

    async def _find(self, query: Document, session: Session) -> Message | None:
        if session is not None:
            document = await self._messages.find_one(query, session=session)
        else:
            with map_mongo_errors():
                document = await self._messages.find_one(query)
        return await self._opened(document)

    async def _opened(self, document: Document | None) -> Message | None:
        if document is None:
            return None
        await self._keys.load([document])
        return message_of(document, self._vault)

    async def _whole_revision(
        self, query: Document, members: list[Document], session: Session
    ) -> list[Document]:
        """Complete the last revision: creation gives one to all its members."""
        last = members[-1]["revision"]
        rest = self._members.find(query | {"revision": last}, session=session)
        earlier = [member for member in members if member["revision"] != last]
        return [*earlier, *await rest.to_list()]


def _visible(viewer: Member | None, since: int, first_seq: int) -> Document:
    """Narrow a query of changed messages to what a member may see.

    All of it is newer than the joining, which spares the scan of what is hidden.
    What retention has given up is not shown while it waits for its deletion.
    """
    if viewer is None or viewer.visible_from_seq <= first_seq:
        return {"seq": {"$gte": first_seq}} if first_seq > 1 else {}
    return {
        "revision": {"$gt": max(since, viewer.joined_revision)},
        "seq": {"$gte": viewer.visible_from_seq},
    }
