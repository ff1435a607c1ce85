"""Sessions in MongoDB."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import driver_errors
from libs.kernel import SessionId, UserId
from services.auth.domain import (
    SESSION_IDLE,
    AuthMethod,
    RevokeReason,
    Session,
)
from services.auth.ports import DatabaseSession

Document = dict[str, Any]

_KEPT_AFTER_END = timedelta(days=7)
_REMEMBERED = 200
_KEPT_OF_THE_GONE_MS = 60 * 60 * 1000
_NOTHING_TOLD: Document = {
    "device_name": "",
    "client_address": "",
    "provider_id": "",
    "provider_session_hash": "",
    "purge_at": {"$add": ["$revoked_at", _KEPT_OF_THE_GONE_MS]},
}


class MongoSessionRepository:
    """Collection ``sessions``: ``_id`` is the session id, hashes of tokens only."""

    INDEXES = (
        IndexModel([("user_id", ASCENDING), ("_id", ASCENDING)], name="user"),
        IndexModel(
            [("revoked_at", ASCENDING), ("_id", ASCENDING)],
            name="revoked",
            partialFilterExpression={"revoked_at": {"$type": "date"}},
        ),
        IndexModel(
            [("provider_session_hash", ASCENDING)],
            name="provider_session",
            partialFilterExpression={"provider_session_hash": {"$gt": ""}},
        ),
        IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._sessions = database["sessions"]

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._sessions.create_indexes(list(self.INDEXES))

    async def add(self, auth_session: Session, session: DatabaseSession) -> None:
        """Store a new session."""
        with driver_errors(session):
            await self._sessions.insert_one(_document(auth_session), session=session)

    async def get(
        self, session_id: SessionId, session: DatabaseSession
    ) -> Session | None:
        """Return a session, also one that has ended."""
        with driver_errors(session):
            document = await self._sessions.find_one(
                {"_id": session_id}, session=session
            )
        return _session(document) if document else None

    async def rotate(self, rotated: Session, session: DatabaseSession) -> bool:
        """Store a rotation if the spent token was still the current one."""
        return await self._replace(
            rotated, {"token_hash": rotated.parent_hash}, session
        )

    async def revoke(self, revoked: Session, session: DatabaseSession) -> bool:
        """Store the end of a session; False if it had ended before."""
        change = {
            "revoked_at": revoked.revoked_at,
            "revoke_reason": revoked.revoke_reason,
        }
        with driver_errors(session):
            result = await self._sessions.update_one(
                {"_id": revoked.session_id, "revoked_at": None},
                {"$set": change},
                session=session,
            )
        return result.modified_count == 1

    async def list_live(
        self, user_id: UserId, *, at: datetime, after: str | None, limit: int
    ) -> Sequence[Session]:
        """Return a user's live sessions in the order of their ids."""
        query = _live(user_id, at)
        if after is not None:
            query["_id"] = {"$gt": after}
        with driver_errors(None):
            cursor = self._sessions.find(query).sort("_id", ASCENDING).limit(limit)
            return [_session(document) async for document in cursor]

    async def oldest_live(
        self, user_id: UserId, *, at: datetime, keep: int, session: DatabaseSession
    ) -> Sequence[Session]:
        """Return the live sessions beyond the newest `keep`, oldest last."""
        with driver_errors(session):
            cursor = (
                self._sessions.find(_live(user_id, at), session=session)
                .sort("_id", DESCENDING)
                .skip(keep)
            )
            return [_session(document) async for document in cursor]

    async def addresses_of(
        self, user_id: UserId, device_name: str, session: DatabaseSession
    ) -> Sequence[str]:
        """Return where a device was; see `SessionRepository.addresses_of`."""
        query = {"user_id": user_id, "device_name": device_name}
        with driver_errors(session):
            cursor = (
                self._sessions.find(query, {"client_address": True}, session=session)
                .sort("_id", DESCENDING)
                .limit(_REMEMBERED)
            )
            return [str(found.get("client_address", "")) async for found in cursor]

    async def list_of_provider(
        self, provider_id: str, session_hash: str, session: DatabaseSession
    ) -> Sequence[Session]:
        """Return the sessions, not revoked, of one session at a provider."""
        query = {
            "provider_session_hash": session_hash,
            "provider_id": provider_id,
            "revoked_at": None,
        }
        with driver_errors(session):
            cursor = self._sessions.find(query, session=session)
            return [_session(document) async for document in cursor]

    async def revoked_since(
        self, since: datetime, *, after: str | None, limit: int
    ) -> Sequence[Session]:
        """Return sessions revoked at or after a time, by (revoked_at, id)."""
        query: Document = {"revoked_at": {"$gte": since}}
        if after is not None:
            query["$nor"] = [{"revoked_at": since, "_id": {"$lte": after}}]
        order = [("revoked_at", ASCENDING), ("_id", ASCENDING)]
        with driver_errors(None):
            cursor = self._sessions.find(query).sort(order).limit(limit)
            return [_session(document) async for document in cursor]

    async def forget(
        self, user_id: UserId, *, ended_before: datetime, session: DatabaseSession
    ) -> None:
        """Erase a user's ended sessions; see `SessionRepository.forget`."""
        own: Document = {"user_id": user_id}
        asked_for = {**own, "revoked_at": {"$gte": ended_before}}
        with driver_errors(session):
            await self._sessions.update_many(
                asked_for, [{"$set": _NOTHING_TOLD}], session=session
            )
            await self._sessions.delete_many(
                {**own, "$nor": [asked_for]}, session=session
            )

    async def _replace(
        self, changed: Session, condition: Document, session: DatabaseSession
    ) -> bool:
        query = {"_id": changed.session_id, "revoked_at": None, **condition}
        with driver_errors(session):
            result = await self._sessions.replace_one(
                query, _document(changed), session=session
            )
        return result.matched_count == 1


def _live(user_id: UserId, at: datetime) -> Document:
    return {
        "user_id": user_id,
        "revoked_at": None,
        "expires_at": {"$gt": at},
        "last_used_at": {"$gt": at - SESSION_IDLE},
    }


def _document(session: Session) -> Document:
    return {
        "_id": session.session_id,
        "user_id": session.user_id,
        "device_name": session.device_name,
        "created_at": session.created_at,
        "last_used_at": session.last_used_at,
        "expires_at": session.expires_at,
        "token_hash": session.token_hash,
        "token_key_id": session.token_key_id,
        "parent_hash": session.parent_hash,
        "rotated_at": session.rotated_at,
        "is_cookie": session.is_cookie,
        "client_address": session.client_address,
        "authenticated_at": session.authenticated_at,
        "methods": [method.value for method in session.methods],
        "provider_id": session.provider_id,
        "provider_session_hash": session.provider_session_hash,
        "revoked_at": session.revoked_at,
        "revoke_reason": session.revoke_reason,
        "purge_at": session.expires_at + _KEPT_AFTER_END,
    }


def _session(document: Document) -> Session:
    reason = document["revoke_reason"]
    return Session(
        session_id=SessionId(document["_id"]),
        user_id=UserId(document["user_id"]),
        device_name=document["device_name"],
        created_at=document["created_at"],
        last_used_at=document["last_used_at"],
        expires_at=document["expires_at"],
        token_hash=document["token_hash"],
        token_key_id=document["token_key_id"],
        parent_hash=document["parent_hash"],
        rotated_at=document["rotated_at"],
        is_cookie=document["is_cookie"],
        # Sessions from before these were kept live for 30 days at most.
        client_address=document.get("client_address", ""),
        authenticated_at=document.get("authenticated_at"),
        methods=tuple(AuthMethod(text) for text in document.get("methods", ())),
        provider_id=document.get("provider_id", ""),
        provider_session_hash=document.get("provider_session_hash", ""),
        revoked_at=document["revoked_at"],
        revoke_reason=RevokeReason(reason) if reason else None,
    )
