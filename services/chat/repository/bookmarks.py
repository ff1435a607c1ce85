"""Bookmarks in MongoDB."""

from typing import Any

import msgspec
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import MessageId, UserId
from services.chat.domain.personal import Bookmark
from services.chat.ports import Session
from services.chat.repository.documents import OWN_REVISION, Document
from services.chat.repository.own_documents import OwnTexts, bookmark_key
from services.chat.repository.own_stream import RevisionIssuer
from services.chat.repository.vault import ConversationVault


class MongoBookmarkRepository:
    """Implements `BookmarkRepository`."""

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], vault: ConversationVault
    ) -> None:
        self._bookmarks = database["bookmarks"]
        self._issuer = RevisionIssuer(database)
        self._texts = OwnTexts(database, vault)

    async def get(self, user_id: UserId, message_id: MessageId) -> Bookmark | None:
        """Return a bookmark, a tombstone too, or None."""
        key = bookmark_key(user_id, message_id)
        with map_mongo_errors():
            document = await self._bookmarks.find_one({"_id": key})
            if document is None:
                return None
            await self._texts.learn([document])
        return self._texts.bookmark_of(document)

    async def put(self, bookmark: Bookmark, *, session: Session) -> Bookmark:
        """Store a bookmark, new or changed; return it with its revision."""
        revision = await self._issuer.issue(bookmark.user_id, session=session)
        stored = msgspec.structs.replace(bookmark, user_revision=revision)
        key = bookmark_key(bookmark.user_id, bookmark.message_id)
        document = self._texts.bookmark_document(stored)
        await self._bookmarks.replace_one(
            {"_id": key}, document, upsert=True, session=session
        )
        return stored

    async def page(
        self, user_id: UserId, *, before: int | None, limit: int
    ) -> list[Bookmark]:
        """Return a user's bookmarks, the last changed first, below a revision."""
        query: Document = {"user_id": user_id, "is_removed": False}
        if before is not None:
            query[OWN_REVISION] = {"$lt": before}
        with map_mongo_errors():
            found = self._bookmarks.find(query, limit=limit).sort(OWN_REVISION, -1)
            documents = await found.to_list()
            await self._texts.learn(documents)
        return [self._texts.bookmark_of(document) for document in documents]
