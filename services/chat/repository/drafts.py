"""Drafts in MongoDB."""

from typing import Any

import msgspec
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, UserId
from services.chat.domain.personal import SavedDraft
from services.chat.ports import Session
from services.chat.repository.documents import OWN_REVISION, Document
from services.chat.repository.own_documents import OwnTexts, draft_key
from services.chat.repository.own_stream import RevisionIssuer
from services.chat.repository.vault import ConversationVault


class MongoDraftRepository:
    """Implements `DraftRepository`."""

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], vault: ConversationVault
    ) -> None:
        self._drafts = database["drafts"]
        self._issuer = RevisionIssuer(database)
        self._texts = OwnTexts(database, vault)

    async def get(
        self, user_id: UserId, conversation_id: ConversationId, thread_seq: int
    ) -> SavedDraft | None:
        """Return a draft, a tombstone too, or None."""
        key = draft_key(user_id, conversation_id, thread_seq)
        with map_mongo_errors():
            document = await self._drafts.find_one({"_id": key})
            if document is None:
                return None
            await self._texts.learn([document])
        return self._texts.draft_of(document)

    async def put(self, draft: SavedDraft, *, session: Session) -> SavedDraft:
        """Store a draft in place of an earlier one; return it with its revision."""
        revision = await self._issuer.issue(draft.user_id, session=session)
        stored = msgspec.structs.replace(draft, user_revision=revision)
        key = draft_key(draft.user_id, draft.conversation_id, draft.thread_seq)
        document = self._texts.draft_document(stored)
        await self._drafts.replace_one(
            {"_id": key}, document, upsert=True, session=session
        )
        return stored

    async def page(
        self, user_id: UserId, *, before: int | None, limit: int
    ) -> list[SavedDraft]:
        """Return a user's drafts, the last changed first, below a revision."""
        query: Document = {"user_id": user_id, "is_cleared": False}
        if before is not None:
            query[OWN_REVISION] = {"$lt": before}
        with map_mongo_errors():
            found = self._drafts.find(query, limit=limit).sort(OWN_REVISION, -1)
            documents = await found.to_list()
            await self._texts.learn(documents)
        return [self._texts.draft_of(document) for document in documents]
