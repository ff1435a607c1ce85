"""Where the projection of users is kept."""

from collections.abc import Sequence
from typing import Protocol

from libs.kernel import UserId
from services.chat.domain.user import User
from services.chat.ports.session import Session


class UserRepository(Protocol):
    """The projection of users."""

    async def get(self, user_id: UserId, *, session: Session = None) -> User | None:
        """Return a user, or None."""
        ...

    async def find_by_handle(self, handle: str) -> User | None:
        """Return who has a handle now, or None."""
        ...

    async def active_among(
        self, user_ids: Sequence[UserId], *, session: Session = None
    ) -> set[UserId]:
        """Return those of the users that can take part."""
        ...

    async def bots_among(self, user_ids: Sequence[UserId]) -> set[UserId]:
        """Return those of the users that are bots."""
        ...

    async def put(self, user: User, *, session: Session) -> None:
        """Store a user, new or changed."""
        ...
