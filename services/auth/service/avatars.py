"""Giving oneself a picture; which pictures there are is told by media's events."""

from dataclasses import dataclass

from libs.events import Transaction
from libs.kernel import DocumentId, UserId
from services.auth.domain import (
    Picture,
    User,
)
from services.auth.domain.errors import AvatarUnknownError
from services.auth.ports import PictureRepository
from services.auth.service.profiles import Profiles

_IMAGE = "image/"


@dataclass(frozen=True)
class Avatars:
    """Use cases of the avatar; media is never asked, so it may be away."""

    profiles: Profiles
    pictures: PictureRepository

    async def choose(self, user_id: UserId, document_id: DocumentId) -> User:
        """Make a picture of the caller's own their avatar.

        Raises:
            AvatarUnknownError: Media has not told of such a picture (yet), it is
                another's, or deleted.
            UserMissingError: The account is gone.

        Emits: user.updated.
        """

        async def require_own(transaction: Transaction) -> None:
            picture = await self.pictures.get(document_id, transaction.session)
            if picture is None or picture.owner_id != user_id:
                raise AvatarUnknownError

        return await self.profiles.change(
            user_id, {"avatar_document_id": document_id}, require_own
        )

    async def remove(self, user_id: UserId) -> User:
        """Take the caller's avatar away; idempotent. Emits: user.updated."""
        return await self.profiles.change(user_id, {"avatar_document_id": None})

    async def note(
        self, transaction: Transaction, picture: Picture, content_type: str
    ) -> None:
        """Take note of a document that media checked, if it is a picture."""
        if content_type.startswith(_IMAGE):
            await self.pictures.add(picture, transaction.session)

    async def forget(self, transaction: Transaction, document_id: DocumentId) -> None:
        """Take note that a document is gone; it is nobody's avatar any more.

        Its owner's account is held, so that it is not chosen at the same moment.

        Emits: user.updated.
        """
        picture = await self.pictures.get(document_id, transaction.session)
        await self.pictures.remove(document_id, transaction.session)
        if picture is not None:
            await self.profiles.drop_avatar(transaction, picture)
