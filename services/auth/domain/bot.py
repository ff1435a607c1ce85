"""Bots: accounts of programs, made by administrators."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from libs.kernel import UserId
from services.auth.domain.address import EmailAddress
from services.auth.domain.errors import RolesInvalidError, ScopesInvalidError
from services.auth.domain.permissions import Role
from services.auth.domain.profile import check_display_name, check_handle
from services.auth.domain.status import UserStatus
from services.auth.domain.user import User

BOT_ROLES: Final = (Role.MEMBER, Role.GUEST)
"""All that a bot may be: no bot looks after people (AZ-7)."""

_REFUSED_SCOPES: Final = frozenset({"admin"})


@dataclass(frozen=True)
class BotWish:
    """What a bot is to be."""

    display_name: str
    handle: str | None
    role: str


def new_bot(
    bot_id: UserId, wish: BotWish, *, owner_id: UserId, locale: str, at: datetime
) -> User:
    """Return a bot: active at once, without an address and without a way to sign in.

    Raises:
        DisplayNameInvalidError, HandleInvalidError: See the rules of profiles.
        RolesInvalidError: It was to be more than a member.
    """
    check_bot_roles((wish.role,))
    return User(
        user_id=bot_id,
        revision=1,
        status=UserStatus.ACTIVE,
        email=EmailAddress.absent(),
        display_name=check_display_name(wish.display_name),
        locale=locale,
        roles=(wish.role,),
        created_at=at,
        updated_at=at,
        handle=check_handle(wish.handle) if wish.handle is not None else None,
        is_bot=True,
        owner_id=owner_id,
    )


def check_bot_roles(roles: Iterable[str]) -> None:
    """Accept the roles of a bot.

    Raises:
        RolesInvalidError: They are not exactly one of `BOT_ROLES`.
    """
    if tuple(roles) not in {(role.value,) for role in BOT_ROLES}:
        raise RolesInvalidError("bot")


def check_bot_scopes(scopes: Iterable[str]) -> None:
    """Accept the scopes of a bot's token, beside the rules of every token.

    Raises:
        ScopesInvalidError: One is for administrators.
    """
    if not _REFUSED_SCOPES.isdisjoint(scopes):
        raise ScopesInvalidError
