"""Preferences, and pictures that may become avatars, in MongoDB."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import driver_errors
from libs.kernel import DocumentId, UserId
from services.auth.domain import (
    ClockFormat,
    MessageDensity,
    Picture,
    Preferences,
    Theme,
)
from services.auth.ports import DatabaseSession

Document = dict[str, Any]

_TOMBSTONE_SECONDS = 7 * 24 * 3_600
"""No event is retried for longer."""


class MongoPreferencesRepository:
    """Collection ``preferences``: ``_id`` is the user id."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._preferences = database["preferences"]

    async def get(self, user_id: UserId, session: DatabaseSession) -> Preferences:
        """Return a person's choices; the defaults where nothing was chosen."""
        with driver_errors(session):
            found = await self._preferences.find_one({"_id": user_id}, session=session)
        return _preferences(found) if found else Preferences()

    async def put(
        self, user_id: UserId, preferences: Preferences, session: DatabaseSession
    ) -> None:
        """Store choices; see `PreferencesRepository.put`.

        Of two transactions that read the same revision, the server lets one commit.
        """
        document = {
            "revision": preferences.revision,
            "theme": preferences.theme.value,
            "message_density": preferences.message_density.value,
            "clock_format": preferences.clock_format.value,
            "has_reduced_motion": preferences.has_reduced_motion,
            "sends_with_enter": preferences.sends_with_enter,
            # Pairs: a name may hold dots, which a field's name should not.
            "client_settings": list(preferences.client_settings.items()),
        }
        with driver_errors(session):
            await self._preferences.replace_one(
                {"_id": user_id}, document, upsert=True, session=session
            )

    async def remove(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget a person's choices."""
        with driver_errors(session):
            await self._preferences.delete_one({"_id": user_id}, session=session)


class MongoPictureRepository:
    """Collection ``pictures``: ``_id`` is the document id."""

    INDEXES = (
        IndexModel([("owner_id", ASCENDING)], name="owner"),
        IndexModel(
            [("deleted_at", ASCENDING)],
            name="purge",
            expireAfterSeconds=_TOMBSTONE_SECONDS,
        ),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._pictures = database["pictures"]

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._pictures.create_indexes(list(self.INDEXES))

    async def add(self, picture: Picture, session: DatabaseSession) -> None:
        """Take note of a picture; a tombstone stays one."""
        with driver_errors(session):
            await self._pictures.update_one(
                {"_id": picture.document_id},
                {"$setOnInsert": {"owner_id": picture.owner_id, "deleted_at": None}},
                upsert=True,
                session=session,
            )

    async def get(
        self, document_id: DocumentId, session: DatabaseSession
    ) -> Picture | None:
        """Return a picture that is there."""
        query = {"_id": document_id, "deleted_at": None}
        with driver_errors(session):
            found = await self._pictures.find_one(query, session=session)
        return Picture(document_id, UserId(found["owner_id"])) if found else None

    async def remove(self, document_id: DocumentId, session: DatabaseSession) -> None:
        """Leave a tombstone, for events that come out of order."""
        with driver_errors(session):
            await self._pictures.update_one(
                {"_id": document_id},
                {"$currentDate": {"deleted_at": True}, "$unset": {"owner_id": ""}},
                upsert=True,
                session=session,
            )

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget all pictures of a user."""
        with driver_errors(session):
            await self._pictures.delete_many({"owner_id": user_id}, session=session)


def _preferences(document: Document) -> Preferences:
    return Preferences(
        revision=document["revision"],
        theme=Theme(document["theme"]),
        message_density=MessageDensity(document["message_density"]),
        clock_format=ClockFormat(document["clock_format"]),
        has_reduced_motion=document["has_reduced_motion"],
        sends_with_enter=document["sends_with_enter"],
        client_settings=dict(document["client_settings"]),
    )
