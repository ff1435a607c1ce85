"""Stores of preferences and of the pictures that may become avatars."""

from typing import Protocol

from libs.kernel import DocumentId, UserId
from services.auth.domain import (
    Picture,
    Preferences,
)
from services.auth.ports.database import DatabaseSession


class PreferencesRepository(Protocol):
    """Each person's choices."""

    async def get(self, user_id: UserId, session: DatabaseSession) -> Preferences:
        """Return a person's choices; the defaults where nothing was chosen."""
        ...

    async def put(
        self, user_id: UserId, preferences: Preferences, session: DatabaseSession
    ) -> None:
        """Store choices in place of the ones before, read in the same transaction."""
        ...

    async def remove(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget a person's choices: erasure."""
        ...


class PictureRepository(Protocol):
    """Checked pictures by document id; a deleted one stays deleted."""

    async def add(self, picture: Picture, session: DatabaseSession) -> None:
        """Take note of a picture, unless it is known to be deleted; idempotent."""
        ...

    async def get(
        self, document_id: DocumentId, session: DatabaseSession
    ) -> Picture | None:
        """Return a picture that is there."""
        ...

    async def remove(self, document_id: DocumentId, session: DatabaseSession) -> None:
        """Take note that a document is gone; no picture comes of it any more."""
        ...

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget all pictures of a user: erasure."""
        ...
