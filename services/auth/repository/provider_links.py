"""Linked identities and acted-on logout tokens in MongoDB."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from libs.chassis.mongo import driver_errors
from libs.kernel import UserId
from services.auth.domain import (
    BlindIndex,
    ProviderLink,
)
from services.auth.domain.errors import IdentityTakenError
from services.auth.ports import DatabaseSession

Document = dict[str, Any]


class MongoProviderLinkRepository:
    """Collection ``oidc_links``: issuer and subject as a keyed HMAC alone.

    Args:
        database: Auth's own.
        index: Makes the values; a lookup tries every key of its ring.
    """

    INDEXES = (
        IndexModel([("identity", ASCENDING)], name="identity", unique=True),
        IndexModel(
            [("user_id", ASCENDING), ("provider_id", ASCENDING)],
            name="user",
            unique=True,
        ),
    )

    def __init__(self, database: AsyncDatabase[Document], index: BlindIndex) -> None:
        self._links = database["oidc_links"]
        self._index = index

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._links.create_indexes(list(self.INDEXES))

    async def add(self, link: ProviderLink, session: DatabaseSession) -> None:
        """Store a link; see `ProviderLinkRepository.add`."""
        if await self.find(link.issuer, link.subject, session) is not None:
            raise IdentityTakenError  # under an older key of the ring, too
        document = {
            "identity": self._index.value(_identity(link.issuer, link.subject)),
            "user_id": link.user_id,
            "provider_id": link.provider_id,
            "linked_at": link.linked_at,
        }
        with driver_errors(session):
            try:
                await self._links.insert_one(document, session=session)
            except DuplicateKeyError:
                raise IdentityTakenError from None

    async def find(
        self, issuer: str, subject: str, session: DatabaseSession
    ) -> UserId | None:
        """Return whose identity it is."""
        values = list(self._index.candidates(_identity(issuer, subject)))
        with driver_errors(session):
            document = await self._links.find_one(
                {"identity": {"$in": values}}, session=session
            )
        return UserId(document["user_id"]) if document else None

    async def providers_of(
        self, user_id: UserId, session: DatabaseSession
    ) -> Mapping[str, datetime]:
        """Return the ids of a user's providers, and since when."""
        with driver_errors(session):
            cursor = self._links.find({"user_id": user_id}, session=session)
            return {one["provider_id"]: one["linked_at"] async for one in cursor}

    async def remove(
        self, user_id: UserId, provider_id: str, session: DatabaseSession
    ) -> bool:
        """Remove a link; False if there was none."""
        query = {"user_id": user_id, "provider_id": provider_id}
        with driver_errors(session):
            result = await self._links.delete_one(query, session=session)
        return result.deleted_count == 1

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Remove every link of a user."""
        with driver_errors(session):
            await self._links.delete_many({"user_id": user_id}, session=session)


class MongoLogoutRepository:
    """Collection ``oidc_logouts``: ``_id`` is the hash of issuer and ``jti``."""

    INDEXES = (
        IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._logouts = database["oidc_logouts"]

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._logouts.create_indexes(list(self.INDEXES))

    async def add(
        self, token_hash: str, expires_at: datetime, session: DatabaseSession
    ) -> bool:
        """Note one; False if it was noted before."""
        document = {"_id": token_hash, "expires_at": expires_at}
        with driver_errors(session):
            try:
                await self._logouts.insert_one(document, session=session)
            except DuplicateKeyError:
                return False
        return True


def _identity(issuer: str, subject: str) -> str:
    return f"{len(issuer)}|{issuer}|{subject}"
