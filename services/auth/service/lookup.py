"""What administrators see of others' accounts; looking at one is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.chassis.audit import AuditReader, AuditRecord
from libs.kernel import UserId
from services.auth.domain import (
    Actor,
    EmailAddress,
    Permission,
    User,
    UserFilter,
)
from services.auth.domain.errors import UserMissingError
from services.auth.ports import UserRegister, UserRepository
from services.auth.service.acts import Acts, Order
from services.auth.service.authority import Authority
from services.auth.service.profiles import UserPage
from services.auth.service.sessions import SessionControl, SessionPage

_LOOKED_AT = "administration"


@dataclass(frozen=True)
class AuditPage:
    """Records, the newest first, and whether there are more."""

    items: Sequence[AuditRecord]
    has_more: bool


@dataclass(frozen=True)
class AccountLookup:
    """Use cases of seeing accounts; none of them shows a secret."""

    acts: Acts
    authority: Authority
    users: UserRepository
    register: UserRegister
    control: SessionControl
    trail: AuditReader

    async def find(
        self, actor: Actor, wanted: UserFilter, *, after: str | None, limit: int
    ) -> UserPage:
        """Return accounts of any status that meet all criteria, by their ids.

        Raises:
            NotPermittedError: The caller may not see accounts.
        """
        await self.authority.require(actor.user_id, Permission.READ_USERS)
        found = await self.register.find(wanted, after=after, limit=limit + 1)
        return UserPage(found[:limit], has_more=len(found) > limit)

    async def find_by_email(self, actor: Actor, email: str) -> User:
        """Return the account of exactly this address; the search is recorded.

        Raises:
            EmailInvalidError: The text is no address.
            UserMissingError: Nobody has it.
            NotPermittedError: The caller may not see accounts.
        """
        address = EmailAddress.parse(email)
        await self._record(actor, "user.searched", "", Permission.READ_USERS)
        user = await self.users.find_by_email(address, None)
        if user is None:
            raise UserMissingError
        return user

    async def get(self, actor: Actor, user_id: UserId) -> User:
        """Return an account with its address; the look is recorded.

        Raises:
            UserMissingError: There is none.
            NotPermittedError: The caller may not see accounts.
        """
        await self._record(actor, "user.viewed", user_id, Permission.READ_USERS)
        return await self._existing(user_id)

    async def sessions(
        self, actor: Actor, user_id: UserId, *, after: str | None, limit: int
    ) -> SessionPage:
        """Return an account's live sessions; the look is recorded.

        Raises:
            UserMissingError: There is no such account.
            NotPermittedError: The caller may not see sessions.
        """
        await self._record(actor, "session.listed", user_id, Permission.READ_SESSIONS)
        await self._existing(user_id)
        return await self.control.list_own(user_id, after=after, limit=limit)

    async def audit(
        self, actor: Actor, user_id: UserId, *, before: str | None, limit: int
    ) -> AuditPage:
        """Return what an account did and suffered, also one that is deleted.

        Raises:
            NotPermittedError: The caller may not read the audit.
        """
        await self._record(actor, "audit.read", user_id, Permission.READ_AUDIT)
        found = await self.trail.about(user_id, before=before, limit=limit + 1)
        return AuditPage(found[:limit], has_more=len(found) > limit)

    async def _record(
        self, actor: Actor, action: str, target: str, permission: Permission
    ) -> None:
        await self.acts.read(Order(actor, permission, action, target, _LOOKED_AT))

    async def _existing(self, user_id: UserId) -> User:
        user = await self.users.get(user_id, None)
        if user is None:
            raise UserMissingError
        return user
