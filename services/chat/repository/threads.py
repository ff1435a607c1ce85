"""Follows of threads in MongoDB."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, UserId
from services.chat.domain.thread import Follow, Growth, Touch, touched
from services.chat.ports import Session
from services.chat.repository.documents import OWN_REVISION, Document
from services.chat.repository.own_stream import RevisionIssuer


class MongoThreadRepository:
    """Implements `ThreadRepository`."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._follows = database["thread_follows"]
        self._messages = database["messages"]
        self._issuer = RevisionIssuer(database)

    async def of_user(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        thread_seqs: Sequence[int],
        *,
        session: Session = None,
    ) -> dict[int, Follow]:
        """Return what a user has to do with some threads."""
        keys = [follow_key(conversation_id, seq, user_id) for seq in thread_seqs]
        query: Document = {"_id": {"$in": keys}}
        if session is not None:
            documents = await self._follows.find(query, session=session).to_list()
        else:
            with map_mongo_errors():
                documents = await self._follows.find(query).to_list()
        follows = [follow_of(document) for document in documents]
        return {follow.thread_seq: follow for follow in follows}

    async def put(self, follow: Follow, *, session: Session) -> Follow:
        """Store what a user has to do with a thread; return it with its revision."""
        revision = await self._issuer.issue(follow.user_id, session=session)
        stored = msgspec.structs.replace(follow, user_revision=revision)
        await self._follows.update_one(
            {"_id": follow_key(*follow.key)},
            {"$set": _follow_document(stored)},
            upsert=True,
            session=session,
        )
        return stored

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


class FollowTouches:
    """What answers do to follows, inside the writer's transaction."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._follows = database["thread_follows"]
        self._issuer = RevisionIssuer(database)

    async def plan(
        self, touches: Sequence[Touch], *, session: Session
    ) -> tuple[list[Follow], list[Document]]:
        """Return the follows that begin, and the updates that store all that change.

        Whoever changes one of them meanwhile ends this transaction, or is ended by it.
        """
        keys = list({follow_key(*touch.key) for touch in touches})
        query: Document = {"_id": {"$in": keys}}
        found = await self._follows.find(query, session=session).to_list()
        known = {follow.key: follow for follow in map(follow_of, found)}
        after = touched(touches, known)
        begun = await self._issued(after.begun, session)
        return begun, [_follow_update(one) for one in (*begun, *after.moved)]

    async def _issued(self, begun: list[Follow], session: Session) -> list[Follow]:
        """Give each its user's next revision: one of each user a turn."""
        issued, waiting = [], list(begun)
        while waiting:
            turn = {follow.user_id: follow for follow in reversed(waiting)}
            revisions = await self._issuer.issue_many(list(turn), session=session)
            for user_id, follow in turn.items():
                revision = revisions[user_id]
                issued.append(msgspec.structs.replace(follow, user_revision=revision))
                waiting.remove(follow)
        return issued


def _follow_update(follow: Follow) -> Document:
    return {
        "q": {"_id": follow_key(*follow.key)},
        "u": {"$set": _follow_document(follow)},
        "upsert": True,
    }


def _follow_document(follow: Follow) -> Document:
    return {
        "conversation_id": follow.conversation_id,
        "thread_seq": follow.thread_seq,
        "user_id": follow.user_id,
        "is_following": follow.is_following,
        "is_undecided": follow.is_undecided,
        "read_seq": follow.read_seq,
        OWN_REVISION: follow.user_revision,
    }


def follow_of(document: Document) -> Follow:
    """Return a stored follow."""
    return Follow(
        conversation_id=ConversationId(document["conversation_id"]),
        thread_seq=document["thread_seq"],
        user_id=UserId(document["user_id"]),
        is_following=document["is_following"],
        is_undecided=document.get("is_undecided", False),
        read_seq=document.get("read_seq", 0),
        user_revision=document.get(OWN_REVISION, 0),
    )
