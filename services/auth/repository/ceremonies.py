"""Challenges of passkey ceremonies in MongoDB."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import driver_errors
from services.auth.domain import (
    Ceremony,
    CeremonyPurpose,
)

Document = dict[str, Any]


class MongoCeremonyRepository:
    """Collection ``passkey_challenges``: ``_id`` is the challenge's hash."""

    INDEXES = (
        IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._challenges = database["passkey_challenges"]

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._challenges.create_indexes(list(self.INDEXES))

    async def add(self, ceremony: Ceremony) -> None:
        """Store a challenge."""
        document = {
            "_id": ceremony.challenge_hash,
            "purpose": ceremony.purpose.value,
            "binding": ceremony.binding,
            "expires_at": ceremony.expires_at,
        }
        with driver_errors(None):
            await self._challenges.insert_one(document)

    async def take(self, challenge_hash: str) -> Ceremony | None:
        """Remove and return a challenge; of several callers one gets it."""
        with driver_errors(None):
            document = await self._challenges.find_one_and_delete(
                {"_id": challenge_hash}
            )
        if document is None:
            return None
        return Ceremony(
            challenge_hash=document["_id"],
            purpose=CeremonyPurpose(document["purpose"]),
            binding=document["binding"],
            expires_at=document["expires_at"],
        )
