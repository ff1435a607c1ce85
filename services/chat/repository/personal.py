"""Users' own streams in MongoDB."""

from collections.abc import Sequence
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import Member
from services.chat.domain.errors import MarkerUnmovedError
from services.chat.domain.personal import Mute
from services.chat.ports import OwnItem, OwnStores, Session
from services.chat.repository.bookmarks import MongoBookmarkRepository
from services.chat.repository.documents import (
    OWN_REVISION,
    Document,
    member_key,
    member_of,
)
from services.chat.repository.drafts import MongoDraftRepository
from services.chat.repository.mentions import MongoMentionCounter
from services.chat.repository.own_documents import (
    OwnTexts,
    membership_of,
    mute_of,
    mute_state,
)
from services.chat.repository.own_stream import RevisionIssuer
from services.chat.repository.threads import follow_of
from services.chat.repository.vault import ConversationVault


class MongoPersonalRepository:
    """Implements `PersonalRepository`."""

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], vault: ConversationVault
    ) -> None:
        self._client = database.client
        self._personal = database["personal"]
        self._members = database["members"]
        self._drafts = database["drafts"]
        self._bookmarks = database["bookmarks"]
        self._follows = database["thread_follows"]
        self._issuer = RevisionIssuer(database)
        self._texts = OwnTexts(database, vault)

    async def revision(self, user_id: UserId) -> int:
        """Return the stream's revision; 0 for one without changes."""
        return (await self.revisions([user_id])).get(user_id, 0)

    async def revisions(self, user_ids: Sequence[UserId]) -> dict[UserId, int]:
        """Return the revision of each that has changes, in one query."""
        query = {"_id": {"$in": list(user_ids)}}
        with map_mongo_errors():
            found = await self._personal.find(query, {"revision": 1}).to_list()
        return {UserId(document["_id"]): document["revision"] for document in found}

    async def changed(
        self, user_id: UserId, *, since: int, limit: int
    ) -> tuple[int, list[OwnItem]]:
        """Return the revision and up to `limit` items above `since`, in one snapshot.

        Later changes are told live in parts, which need the whole before them.
        """
        query: Document = {"user_id": user_id, OWN_REVISION: {"$gt": since}}
        with map_mongo_errors():
            async with self._client.start_session(snapshot=True) as session:
                counter = await self._personal.find_one(
                    {"_id": user_id}, {"revision": 1}, session=session
                )
                members, drafts, bookmarks, follows = [
                    await collection.find(query, limit=limit, session=session)
                    .sort(OWN_REVISION, 1)
                    .to_list()
                    for collection in (
                        self._members,
                        self._drafts,
                        self._bookmarks,
                        self._follows,
                    )
                ]
            await self._texts.learn([*drafts, *bookmarks])
        items: list[OwnItem] = [membership_of(document) for document in members]
        items += [self._texts.draft_of(document) for document in drafts]
        items += [self._texts.bookmark_of(document) for document in bookmarks]
        items += [follow_of(document) for document in follows]
        items.sort(key=lambda item: item.user_revision)
        return counter["revision"] if counter else 0, items[:limit]

    async def mark_read(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        seq: int,
        *,
        session: Session,
    ) -> int:
        """Move a read marker forward; return the user's new revision."""
        revision = await self._issuer.issue(user_id, session=session)
        key = member_key(conversation_id, user_id)
        result = await self._members.update_one(
            {"_id": key, "read_seq": {"$lt": seq}},
            {"$set": {"read_seq": seq, OWN_REVISION: revision}},
            session=session,
        )
        if result.matched_count != 1:
            raise MarkerUnmovedError
        return revision

    async def readers(
        self,
        conversation_id: ConversationId,
        seq: int,
        *,
        except_user: UserId,
        after: str,
        limit: int,
    ) -> list[Member]:
        """Return active members whose marker is at a seq or above, by user id."""
        query: Document = {
            "conversation_id": conversation_id,
            "is_active": True,
            "user_id": {"$gt": after, "$ne": except_user},
            "read_seq": {"$gte": seq},
        }
        with map_mongo_errors():
            found = self._members.find(query, limit=limit).sort("user_id", 1)
            return [member_of(document) for document in await found.to_list()]

    async def put_mute(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        mute: Mute,
        *,
        session: Session,
    ) -> int:
        """Store how a membership is muted; return the user's new revision."""
        revision = await self._issuer.issue(user_id, session=session)
        await self._members.update_one(
            {"_id": member_key(conversation_id, user_id)},
            {"$set": mute_state(mute) | {OWN_REVISION: revision}},
            session=session,
        )
        return revision

    async def mutes(
        self, user_id: UserId, conversation_ids: Sequence[ConversationId]
    ) -> dict[ConversationId, Mute]:
        """Return how a user's memberships are muted; one that is not is absent."""
        keys = [member_key(c, user_id) for c in conversation_ids]
        query: Document = {"_id": {"$in": keys}, "mute_level": {"$exists": True}}
        wanted = {"conversation_id": 1, "mute_level": 1, "muted_until": 1}
        with map_mongo_errors():
            found = await self._members.find(query, wanted).to_list()
        return {ConversationId(d["conversation_id"]): mute_of(d) for d in found}


def own_stores(
    database: AsyncDatabase[dict[str, Any]], vault: ConversationVault
) -> OwnStores:
    """Return where everything that is a user's own is kept."""
    return OwnStores(
        personal=MongoPersonalRepository(database, vault),
        drafts=MongoDraftRepository(database, vault),
        bookmarks=MongoBookmarkRepository(database, vault),
        mentions=MongoMentionCounter(database),
    )
