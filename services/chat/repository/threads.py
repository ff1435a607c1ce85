"""Follows of threads in MongoDB."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, UserId
from services.chat.domain.thread import Follow, Growth, Touch
from services.chat.ports import Session
from services.chat.repository.documents import Document


class MongoThreadRepository:
    """Implements `ThreadRepository`."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._follows = database["thread_follows"]
        self._messages = database["messages"]

    async def of_user(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        thread_seqs: Sequence[int],
    ) -> dict[int, Follow]:
        """Return what a user has to do with some threads."""
        keys = [follow_key(conversation_id, seq, user_id) for seq in thread_seqs]
        with map_mongo_errors():
            documents = await self._follows.find({"_id": {"$in": keys}}).to_list()
        follows = [_follow_of(document) for document in documents]
        return {follow.thread_seq: follow for follow in follows}

    async def follow(self, follow: Follow, *, session: Session = None) -> None:
        """Store whether a user follows a thread; its marker never goes back."""
        place = (follow.conversation_id, follow.thread_seq, follow.user_id)
        changed = {**_place(*place), "is_following": follow.is_following}
        with map_mongo_errors():
            await self._follows.update_one(
                {"_id": follow_key(*place)},
                {"$set": changed, "$max": {"read_seq": follow.read_seq}},
                upsert=True,
                session=session,
            )

    async def unread(
        self, conversation_id: ConversationId, read: Mapping[int, int]
    ) -> dict[int, int]:
        """Count the messages of threads above a seq each."""
        if not read:
            return {}
        newer = [
            {
                "conversation_id": conversation_id,
                "thread_seq": thread_seq,
                "seq": {"$gt": seq},
            }
            for thread_seq, seq in read.items()
        ]
        grouped = {"$group": {"_id": "$thread_seq", "count": {"$sum": 1}}}
        with map_mongo_errors():
            found = await self._messages.aggregate(
                [{"$match": {"$or": newer}}, grouped]
            )
            counts = {row["_id"]: row["count"] for row in await found.to_list()}
        return {thread_seq: counts.get(thread_seq, 0) for thread_seq in read}


def follow_key(conversation_id: str, thread_seq: int, user_id: str) -> str:
    """Return the ``_id`` of a follow."""
    return f"{conversation_id}:{thread_seq}:{user_id}"


def growth_update(growth: Growth) -> Document:
    """Return what a commit does to the message whose thread grows."""
    return {
        "q": {"conversation_id": growth.conversation_id, "seq": growth.thread_seq},
        "u": {
            "$inc": {"reply_count": growth.replies},
            "$max": {"last_reply_seq": growth.last_reply_seq},
        },
    }


def touch_update(touch: Touch) -> Document:
    """Return what an answer does to a follow."""
    place = (touch.conversation_id, touch.thread_seq, touch.user_id)
    first: Document = _place(*place)
    update: Document = {"$setOnInsert": first, "$max": {"read_seq": touch.read_seq}}
    if touch.follows:
        update["$set"] = {"is_following": True}
    else:
        first["is_following"] = True
    return {"q": {"_id": follow_key(*place)}, "u": update, "upsert": True}


def _place(conversation_id: str, thread_seq: int, user_id: str) -> Document:
    return {
        "conversation_id": conversation_id,
        "thread_seq": thread_seq,
        "user_id": user_id,
    }


def _follow_of(document: Document) -> Follow:
    return Follow(
        conversation_id=ConversationId(document["conversation_id"]),
        thread_seq=document["thread_seq"],
        user_id=UserId(document["user_id"]),
        is_following=document["is_following"],
        read_seq=document.get("read_seq", 0),
    )
