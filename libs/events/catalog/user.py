"""``user.events``: people and bots of this installation; emitted by auth.

Every event carries the whole public profile and a ``revision`` that grows by one a
change, so that a projection keeps the newest and skips what is stale.
"""

from typing import Any

from libs.crypto.sealed import Sealed
from libs.events.event import Event, upcast


class UserCreated(Event, type="user.created", version=2, key="user_id"):
    """An account was registered; it cannot sign in until it is verified.

    A bot has no address to verify: it is active from here on, and no
    ``user.verified`` follows.
    """

    user_id: str
    revision: int
    display_name: str
    locale: str
    roles: tuple[str, ...]
    is_bot: bool = False


class UserVerified(Event, type="user.verified", version=1, key="user_id"):
    """The owner of the address confirmed it; the account is active.

    ``email`` is sealed with the account-transport ring.
    """

    user_id: str
    revision: int
    display_name: str
    locale: str
    email: Sealed


class UserUpdated(Event, type="user.updated", version=2, key="user_id"):
    """The public profile or the roles changed; the whole new state."""

    user_id: str
    revision: int
    display_name: str
    handle: str | None
    locale: str
    time_zone: str
    status_text: str
    avatar_document_id: str | None
    roles: tuple[str, ...]
    is_bot: bool = False


class UserSuspended(Event, type="user.suspended", version=1, key="user_id"):
    """An administrator suspended the account, or lifted the suspension."""

    user_id: str
    revision: int
    is_suspended: bool


class UserDeleted(Event, type="user.deleted", version=1, key="user_id"):
    """The account is gone; every service erases its part."""

    user_id: str
    revision: int


@upcast(UserCreated, from_version=1)
@upcast(UserUpdated, from_version=1)
def _of_people_alone(payload: dict[str, Any]) -> dict[str, Any]:
    return {**payload, "is_bot": False}
