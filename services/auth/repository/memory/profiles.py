"""Preferences and pictures in memory, for tests."""
# ruff: noqa: ARG002 - the ports pass a database session, memory has none

from libs.kernel import DocumentId, UserId
from services.auth.domain import (
    Picture,
    Preferences,
)
from services.auth.ports import DatabaseSession


class MemoryPreferencesRepository:
    """Preferences in a dictionary."""

    def __init__(self) -> None:
        self._chosen: dict[str, Preferences] = {}

    async def get(self, user_id: UserId, session: DatabaseSession) -> Preferences:
        """Return a person's choices; the defaults where nothing was chosen."""
        return self._chosen.get(user_id, Preferences())

    async def put(
        self, user_id: UserId, preferences: Preferences, session: DatabaseSession
    ) -> None:
        """Store choices in place of the ones before."""
        self._chosen[user_id] = preferences

    async def remove(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget a person's choices."""
        self._chosen.pop(user_id, None)


class MemoryPictureRepository:
    """Pictures in a dictionary; None stands for a deleted one."""

    def __init__(self) -> None:
        self._pictures: dict[str, Picture | None] = {}

    async def add(self, picture: Picture, session: DatabaseSession) -> None:
        """Take note of a picture; a tombstone stays one."""
        self._pictures.setdefault(picture.document_id, picture)

    async def get(
        self, document_id: DocumentId, session: DatabaseSession
    ) -> Picture | None:
        """Return a picture that is there."""
        return self._pictures.get(document_id)

    async def remove(self, document_id: DocumentId, session: DatabaseSession) -> None:
        """Leave a tombstone."""
        self._pictures[document_id] = None

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget all pictures of a user."""
        self._pictures = {
            document_id: picture
            for document_id, picture in self._pictures.items()
            if picture is None or picture.owner_id != user_id
        }
