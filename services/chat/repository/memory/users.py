"""Users in memory."""

from collections.abc import Sequence

from libs.kernel import UserId
from services.chat.domain.user import User
from services.chat.ports import Session


class MemoryUsers:
    """`UserRepository` in a dictionary."""

    def __init__(self) -> None:
        self.users: dict[UserId, User] = {}

    async def get(self, user_id: UserId, *, session: Session = None) -> User | None:
        """Return a user, or None."""
        del session
        return self.users.get(user_id)

    async def find_by_handle(self, handle: str) -> User | None:
        """Return who has a handle now, or None."""
        found = (user for user in self.users.values() if user.handle == handle)
        return next(found, None)

    async def active_among(
        self, user_ids: Sequence[UserId], *, session: Session = None
    ) -> set[UserId]:
        """Return those of the users that can take part."""
        del session
        known = [self.users.get(user_id) for user_id in user_ids]
        return {user.user_id for user in known if user and user.is_active}

    async def bots_among(self, user_ids: Sequence[UserId]) -> set[UserId]:
        """Return those of the users that are bots."""
        known = [self.users.get(user_id) for user_id in user_ids]
        return {user.user_id for user in known if user and user.is_bot}

    async def put(self, user: User, *, session: Session) -> None:
        """Store a user, new or changed."""
        del session
        self.users[user.user_id] = user
