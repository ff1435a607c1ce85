"""A person, or a bot, with an account."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from libs.kernel import UserId
from services.auth.domain.address import EmailAddress
from services.auth.domain.permissions import Role
from services.auth.domain.status import UserStatus, check_transition


@dataclass(frozen=True)
class Registration:
    """What one registration asked for; its link activates this and nothing else.

    Whoever registers an address first, or last, does not decide the password of the
    account: the link that its owner follows does (account pre-hijacking).
    """

    display_name: str
    locale: str
    password_hash: str


@dataclass(frozen=True)
class User:
    """An account and its public profile.

    Attributes:
        revision: From 1, grows by one a change; events carry it.
        email: Clear only in memory; the repository seals it. Absent for a bot.
        handle: For mentions, unique; None until chosen.
        roles: Of the installation: the base role, then custom ones by name.
        verified_at: When the owner of the address confirmed it.
        is_bot: Made by an administrator for a program; it has personal tokens alone.
        owner_id: Who made the bot and answers for it; None for a person.
        deletion_due_at: When it is erased; None unless that was asked for.
    """

    user_id: UserId
    revision: int
    status: UserStatus
    email: EmailAddress
    display_name: str
    locale: str
    roles: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    handle: str | None = None
    time_zone: str = "UTC"
    status_text: str = ""
    avatar_document_id: str | None = None
    verified_at: datetime | None = None
    is_bot: bool = False
    owner_id: UserId | None = None
    deletion_due_at: datetime | None = None

    @property
    def may_sign_in(self) -> bool:
        """Whether this account may do anything at all."""
        return self.status is UserStatus.ACTIVE

    @property
    def may_have_sessions(self) -> bool:
        """Whether anybody may sign in to it: never to a bot."""
        return self.may_sign_in and not self.is_bot

    @property
    def administrates(self) -> bool:
        """Whether it is an active admin's account that stays."""
        is_admin = Role.ADMIN in self.roles
        return is_admin and self.may_sign_in and self.deletion_due_at is None

    @property
    def is_visible(self) -> bool:
        """Whether others see the profile; a suspended author keeps a name."""
        return self.status not in (UserStatus.PENDING, UserStatus.DELETED)

    def is_due(self, at: datetime) -> bool:
        """Whether its grace is over: nothing brings it back then."""
        return self.deletion_due_at is not None and self.deletion_due_at <= at

    def changed(self, at: datetime, **fields: Any) -> "User":  # noqa: ANN401 - User's own fields
        """Return the next revision with these fields changed."""
        return replace(self, revision=self.revision + 1, updated_at=at, **fields)

    def moved(self, status: UserStatus, at: datetime) -> "User":
        """Return the account in another status.

        Raises:
            StatusRefusedError: No way leads there.
        """
        return self.changed(at, status=check_transition(self.status, status))

    def activated(self, registration: Registration, at: datetime) -> "User":
        """Return the account after its owner confirmed the address; it stays."""
        return self.changed(
            at,
            status=check_transition(self.status, UserStatus.ACTIVE),
            display_name=registration.display_name,
            locale=registration.locale,
            verified_at=at,
            deletion_due_at=None,
        )
