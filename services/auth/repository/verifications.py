"""Verification links in MongoDB."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import driver_errors
from libs.kernel import UserId
from services.auth.domain import Registration, Verification
from services.auth.ports import DatabaseSession

Document = dict[str, Any]


class MongoVerificationRepository:
    """Collection ``tokens``: ``_id`` is the token's hash, gone when it expires."""

    INDEXES = (
        IndexModel([("user_id", ASCENDING)], name="user"),
        IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._tokens = database["tokens"]

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._tokens.create_indexes(list(self.INDEXES))

    async def add(self, verification: Verification, session: DatabaseSession) -> None:
        """Store a link."""
        registration = verification.registration
        document = {
            "_id": verification.token_hash,
            "purpose": "verification",
            "user_id": verification.user_id,
            "expires_at": verification.expires_at,
            "display_name": registration.display_name,
            "locale": registration.locale,
            "password_hash": registration.password_hash,
        }
        with driver_errors(session):
            await self._tokens.insert_one(document, session=session)

    async def take(
        self, token_hash: str, session: DatabaseSession
    ) -> Verification | None:
        """Remove and return a link; one caller gets it."""
        with driver_errors(session):
            document = await self._tokens.find_one_and_delete(
                {"_id": token_hash, "purpose": "verification"}, session=session
            )
        return _verification(document) if document else None

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Void every other link of a user."""
        with driver_errors(session):
            await self._tokens.delete_many({"user_id": user_id}, session=session)


def _verification(document: Document) -> Verification:
    return Verification(
        token_hash=document["_id"],
        user_id=UserId(document["user_id"]),
        registration=Registration(
            display_name=document["display_name"],
            locale=document["locale"],
            password_hash=document["password_hash"],
        ),
        expires_at=document["expires_at"],
    )
