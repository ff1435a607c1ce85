"""What somebody may do at this moment, by what is stored and not by a token."""

from dataclasses import dataclass

from libs.kernel import UserId
from services.auth.domain import (
    Actor,
    Permission,
    Standing,
    User,
    custom_names,
    standing_of,
)
from services.auth.domain.errors import NotPermittedError
from services.auth.ports import DatabaseSession, RoleRepository, UserRepository
from services.auth.service.step_up import StepUp


@dataclass(frozen=True)
class Authority:
    """Answers with the roles of now: a role that was taken away is gone at once."""

    users: UserRepository
    roles: RoleRepository
    step_up: StepUp

    async def standing(self, user: User, session: DatabaseSession = None) -> Standing:
        """Return what a user may do."""
        custom = await self.roles.named(custom_names(user.roles), session)
        return standing_of(user.user_id, user.roles, custom)

    async def require(self, user_id: UserId, permission: Permission) -> Standing:
        """Return the standing of a caller who may read what this is about.

        Raises:
            NotPermittedError: Their roles do not allow it, or the account is not
                active.
        """
        user = await self.users.get(user_id, None)
        return await self._permitted(user, permission, None)

    async def require_act(
        self, actor: Actor, permission: Permission, session: DatabaseSession
    ) -> Standing:
        """Return the standing of a caller who may change something.

        The caller's own account is pinned: who loses a role at the same moment does
        not act on it any more.

        Raises:
            NotPermittedError: See `require`; told before anything else.
            StepUpRequiredError: They proved who they are too long ago.
        """
        user = await self.users.pin(actor.user_id, session)
        standing = await self._permitted(user, permission, session)
        await self.step_up.require(actor.user_id, actor.session_id, session)
        return standing

    async def _permitted(
        self, user: User | None, permission: Permission, session: DatabaseSession
    ) -> Standing:
        if user is None or not user.may_sign_in:
            raise NotPermittedError(permission)
        standing = await self.standing(user, session)
        standing.require(permission)
        return standing
