"""The installation keeps an active admin who stays."""

from dataclasses import dataclass

from services.auth.domain import User
from services.auth.domain.errors import LastAdminError
from services.auth.ports import DatabaseSession, UserRegister


@dataclass(frozen=True)
class AdminGuard:
    """Refuses what would leave nobody to administrate."""

    register: UserRegister

    async def require_left(
        self, before: User, after: User, session: DatabaseSession
    ) -> None:
        """Check a change of one account, in its transaction.

        Raises:
            LastAdminError: It is the last active admin whose account stays.
        """
        if not before.administrates or after.administrates:
            return
        if not await self.register.has_other_admin(before.user_id, session):
            raise LastAdminError
