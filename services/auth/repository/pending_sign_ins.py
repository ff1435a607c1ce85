"""Sign-ins that wait for a second factor in MongoDB."""

from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import driver_errors
from libs.kernel import UserId
from services.auth.domain import (
    PENDING_SIGN_IN_TRIES_MAX,
    AuthMethod,
    ClientDevice,
    PendingSignIn,
)
from services.auth.ports import DatabaseSession

Document = dict[str, Any]


class MongoPendingSignInRepository:
    """Collection ``pending_sign_ins``: ``_id`` is the token's hash."""

    INDEXES = (
        IndexModel([("user_id", ASCENDING)], name="user"),
        IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._pending = database["pending_sign_ins"]

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._pending.create_indexes(list(self.INDEXES))

    async def add(self, pending: PendingSignIn, session: DatabaseSession) -> None:
        """Store one."""
        document = {
            "_id": pending.token_hash,
            "user_id": pending.user_id,
            "device_name": pending.device.name,
            "client_address": pending.device.address,
            "has_cookie": pending.device.has_cookie,
            "provider_id": pending.device.provider_id,
            "provider_session_hash": pending.device.provider_session_hash,
            "methods": [method.value for method in pending.methods],
            "expires_at": pending.expires_at,
            "is_enrolment": pending.is_enrolment,
            "tries": pending.tries,
        }
        with driver_errors(session):
            await self._pending.insert_one(document, session=session)

    async def get(self, token_hash: str) -> PendingSignIn | None:
        """Return one, open or not."""
        with driver_errors(None):
            document = await self._pending.find_one({"_id": token_hash})
        return _pending(document) if document else None

    async def count_try(self, token_hash: str, *, at: datetime) -> PendingSignIn | None:
        """Count a guess; see `PendingSignInRepository.count_try`."""
        is_open = {
            "_id": token_hash,
            "expires_at": {"$gt": at},
            "tries": {"$lt": PENDING_SIGN_IN_TRIES_MAX},
        }
        with driver_errors(None):
            document = await self._pending.find_one_and_update(
                is_open, {"$inc": {"tries": 1}}, return_document=ReturnDocument.AFTER
            )
        return _pending(document) if document else None

    async def take(self, token_hash: str, session: DatabaseSession) -> bool:
        """Remove one; of several callers one gets True."""
        with driver_errors(session):
            result = await self._pending.delete_one(
                {"_id": token_hash}, session=session
            )
        return result.deleted_count == 1

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Void all of a user's."""
        with driver_errors(session):
            await self._pending.delete_many({"user_id": user_id}, session=session)

    async def remove_of_provider(
        self,
        provider_id: str,
        session: DatabaseSession,
        *,
        session_hash: str = "",
        user_id: UserId | None = None,
    ) -> None:
        """Void those; see `PendingSignInRepository.remove_of_provider`."""
        query: Document = {"provider_id": provider_id}
        if session_hash:
            query["provider_session_hash"] = session_hash
        if user_id is not None:
            query["user_id"] = user_id
        with driver_errors(session):
            await self._pending.delete_many(query, session=session)


def _pending(document: Document) -> PendingSignIn:
    return PendingSignIn(
        token_hash=document["_id"],
        user_id=UserId(document["user_id"]),
        device=ClientDevice(
            document["device_name"],
            document["client_address"],
            document["has_cookie"],
            document["provider_id"],
            document["provider_session_hash"],
        ),
        methods=tuple(AuthMethod(text) for text in document["methods"]),
        expires_at=document["expires_at"],
        is_enrolment=document["is_enrolment"],
        tries=document["tries"],
    )
