"""Personal access tokens in MongoDB."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import driver_errors
from libs.kernel import SessionId, UserId
from services.auth.domain import PersonalToken
from services.auth.ports import DatabaseSession

Document = dict[str, Any]

_KEPT_AFTER_END = timedelta(days=7)


class MongoPersonalTokenRepository:
    """Collection ``personal_tokens``: ``_id`` is the token's id, hashes only."""

    INDEXES = (
        IndexModel([("token_hash", ASCENDING)], name="hash", unique=True),
        IndexModel([("user_id", ASCENDING), ("_id", ASCENDING)], name="user"),
        IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._tokens = database["personal_tokens"]

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._tokens.create_indexes(list(self.INDEXES))

    async def add(self, token: PersonalToken, session: DatabaseSession) -> None:
        """Store a token."""
        with driver_errors(session):
            await self._tokens.insert_one(_document(token), session=session)

    async def get(
        self, token_id: SessionId, session: DatabaseSession
    ) -> PersonalToken | None:
        """Return a token, also one that has ended."""
        with driver_errors(session):
            document = await self._tokens.find_one({"_id": token_id}, session=session)
        return _token(document) if document else None

    async def find_by_hash(self, token_hash: str) -> PersonalToken | None:
        """Return the token whose text has this hash, also one that has ended."""
        with driver_errors(None):
            document = await self._tokens.find_one({"token_hash": token_hash})
        return _token(document) if document else None

    async def list_live(
        self,
        user_id: UserId,
        *,
        at: datetime,
        after: str | None,
        limit: int,
        session: DatabaseSession = None,
    ) -> Sequence[PersonalToken]:
        """Return a user's live tokens in the order of their ids."""
        query: Document = {
            "user_id": user_id,
            "revoked_at": None,
            "expires_at": {"$gt": at},
        }
        if after is not None:
            query["_id"] = {"$gt": after}
        with driver_errors(session):
            cursor = self._tokens.find(query, session=session)
            ordered = cursor.sort("_id", ASCENDING).limit(limit)
            return [_token(document) async for document in ordered]

    async def revoke(self, revoked: PersonalToken, session: DatabaseSession) -> bool:
        """Store the end of a token; False if it had ended before."""
        with driver_errors(session):
            result = await self._tokens.update_one(
                {"_id": revoked.token_id, "revoked_at": None},
                {"$set": {"revoked_at": revoked.revoked_at}},
                session=session,
            )
        return result.modified_count == 1

    async def touch(self, token_id: SessionId, at: datetime) -> None:
        """Remember a use."""
        with driver_errors(None):
            await self._tokens.update_one(
                {"_id": token_id}, {"$max": {"last_used_at": at}}
            )

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget all tokens of a user."""
        with driver_errors(session):
            await self._tokens.delete_many({"user_id": user_id}, session=session)


def _document(token: PersonalToken) -> Document:
    return {
        "_id": token.token_id,
        "user_id": token.user_id,
        "name": token.name,
        "scopes": list(token.scopes),
        "token_hash": token.token_hash,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
        "purge_at": token.expires_at + _KEPT_AFTER_END,
    }


def _token(document: Document) -> PersonalToken:
    return PersonalToken(
        token_id=SessionId(document["_id"]),
        user_id=UserId(document["user_id"]),
        name=document["name"],
        scopes=tuple(document["scopes"]),
        token_hash=document["token_hash"],
        created_at=document["created_at"],
        expires_at=document["expires_at"],
        last_used_at=document["last_used_at"],
        revoked_at=document["revoked_at"],
    )
