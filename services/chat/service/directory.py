"""The projection of users: what ``user.*`` told, in whatever order it came."""

import msgspec

from libs.events.catalog.user import (
    UserCreated,
    UserDeleted,
    UserSuspended,
    UserUpdated,
    UserVerified,
)
from libs.kernel import UserId
from services.chat.domain.user import User
from services.chat.ports import Session, UserRepository

UserEvent = UserCreated | UserVerified | UserUpdated | UserSuspended | UserDeleted


class Directory:
    """Keeps the newest facts of each user."""

    def __init__(self, users: UserRepository) -> None:
        self._users = users

    async def apply(self, event: UserEvent, *, session: Session) -> None:
        """Take in one fact; a stale or repeated one changes nothing."""
        user_id = UserId(event.user_id)
        known = await self._users.get(user_id, session=session)
        before = known or User(user_id=user_id)
        after = with_event(before, event)
        if known is None or after != before:
            await self._users.put(after, session=session)


def with_event(user: User, event: UserEvent) -> User:
    """Return the user as the event makes it.

    Verification and deletion are for ever, so they hold whatever came before them;
    profile and suspension keep the newest revision of their own.
    """
    if isinstance(event, UserDeleted):
        return msgspec.structs.replace(
            user, is_deleted=True, display_name="", handle=None
        )
    if isinstance(event, UserSuspended):
        if event.revision <= user.suspension_revision:
            return user
        return msgspec.structs.replace(
            user,
            is_suspended=event.is_suspended,
            suspension_revision=event.revision,
        )
    if isinstance(event, UserCreated) and event.is_bot:  # it has nothing to verify
        user = msgspec.structs.replace(user, is_bot=True, is_verified=True)
    if isinstance(event, UserVerified):
        user = msgspec.structs.replace(user, is_verified=True)
    if user.is_deleted or event.revision <= user.profile_revision:
        return user
    handle = event.handle if isinstance(event, UserUpdated) else user.handle
    return msgspec.structs.replace(
        user,
        display_name=event.display_name,
        handle=handle,
        profile_revision=event.revision,
    )
