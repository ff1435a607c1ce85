"""What people show of themselves, and how others find them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from libs.events import EventBus, Transaction
from libs.events.catalog import UserUpdated
from libs.kernel import Clock, UserId
from services.auth.domain import (
    Picture,
    User,
    check_display_name,
    check_handle,
    check_locale,
    check_status_text,
    check_time_zone,
    search_key,
)
from services.auth.domain.errors import (
    HandleTakenError,
    UserMissingError,
)
from services.auth.ports import ErasureRepository, UserRepository

Check: TypeAlias = Callable[[Transaction], Awaitable[None]]
"""Raises where a change may not be."""


@dataclass(frozen=True)
class ProfileChange:
    """Fields to change; None leaves one as it is."""

    display_name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    status_text: str | None = None

    def checked(self) -> dict[str, str]:
        """Return the given fields in their stored form.

        Raises:
            InvalidError: One of them breaks its rule.
        """
        rules = {
            "display_name": check_display_name,
            "locale": check_locale,
            "time_zone": check_time_zone,
            "status_text": check_status_text,
        }
        given = {name: getattr(self, name) for name in rules}
        return {
            name: rules[name](value)
            for name, value in given.items()
            if value is not None
        }


@dataclass(frozen=True)
class UserPage:
    """Users in the order of their ids, and whether there are more."""

    items: Sequence[User]
    has_more: bool


@dataclass(frozen=True)
class Profiles:
    """Use cases of the caller's own profile and of the directory."""

    bus: EventBus
    users: UserRepository
    erasures: ErasureRepository
    clock: Clock

    async def get_own(self, user_id: UserId) -> User:
        """Return the caller's account.

        Raises:
            UserMissingError: It is gone.
        """
        user = await self.users.get(user_id, None)
        if user is None or not user.is_visible:
            raise UserMissingError
        return user

    async def get(self, user_id: UserId) -> User:
        """Return somebody's profile; same error for unknown and unverified."""
        return await self.get_own(user_id)

    async def update(self, user_id: UserId, change: ProfileChange) -> User:
        """Change profile fields; a change to the same values is no change.

        Raises:
            InvalidError: A field breaks its rule.
            UserMissingError: The account is gone.

        Emits: user.updated.
        """
        return await self.change(user_id, change.checked())

    async def set_handle(self, user_id: UserId, handle: str) -> User:
        """Take a handle; the one before is free at once, one of the deleted never.

        Raises:
            HandleInvalidError: It breaks the pattern or is reserved.
            HandleTakenError: Somebody else has it, or had it until their deletion:
                who reads an old mention must not take it for somebody new.
            UserMissingError: The account is gone.

        Emits: user.updated.
        """
        wanted = check_handle(handle)

        async def require_free(transaction: Transaction) -> None:
            if await self.erasures.has_handle(wanted, transaction.session):
                raise HandleTakenError

        return await self.change(user_id, {"handle": wanted}, require_free)

    async def find_by_handle(self, handle: str) -> UserPage:
        """Return the user with exactly this handle, or nobody."""
        user = await self.users.find_by_handle(handle)
        return UserPage([user] if user else [], has_more=False)

    async def search(self, query: str, *, after: str | None, limit: int) -> UserPage:
        """Find users whose handle, or a word of whose name, begins with a text.

        Args:
            query: One of white space alone finds nobody: nobody lists everyone.
            after: Id of the last user of the page before.
            limit: Size of a page.
        """
        key = search_key(query)
        if not key:
            return UserPage([], has_more=False)
        found = await self.users.search(key, after=after, limit=limit + 1)
        return UserPage(found[:limit], has_more=len(found) > limit)

    async def get_many(self, user_ids: Sequence[str]) -> UserPage:
        """Return the visible ones of these users."""
        return UserPage(await self.users.get_many(user_ids), has_more=False)

    async def change(
        self, user_id: UserId, fields: dict[str, Any], check: Check | None = None
    ) -> User:
        """Change fields that have been checked; to the same values is no change.

        Args:
            user_id: Whose.
            fields: By name, in their stored form.
            check: Runs in the transaction; raises where the change may not be.

        Raises:
            UserMissingError: The account is gone.

        Emits: user.updated.
        """

        async def store(transaction: Transaction) -> User:
            user = await self.users.get(user_id, transaction.session)
            if user is None or not user.may_sign_in:
                raise UserMissingError
            if all(getattr(user, name) == value for name, value in fields.items()):
                return user
            if check is not None:
                await check(transaction)
            return await self._store(transaction, user, fields)

        return await self.bus.run_transaction(store)

    async def drop_avatar(self, transaction: Transaction, picture: Picture) -> None:
        """Take a picture that is gone away from its owner, whatever their status.

        Emits: user.updated.
        """
        user = await self.users.pin(picture.owner_id, transaction.session)
        if user is not None and user.avatar_document_id == picture.document_id:
            await self._store(transaction, user, {"avatar_document_id": None})

    async def _store(
        self, transaction: Transaction, user: User, fields: dict[str, Any]
    ) -> User:
        changed = user.changed(self.clock.now(), **fields)
        await self.users.update(changed, transaction.session)
        transaction.publish(user_updated(changed))
        return changed


def user_updated(user: User) -> UserUpdated:
    """Return the event that carries a user's whole public profile."""
    return UserUpdated(
        user_id=user.user_id,
        revision=user.revision,
        display_name=user.display_name,
        handle=user.handle,
        locale=user.locale,
        time_zone=user.time_zone,
        status_text=user.status_text,
        avatar_document_id=user.avatar_document_id,
        roles=user.roles,
        is_bot=user.is_bot,
    )
