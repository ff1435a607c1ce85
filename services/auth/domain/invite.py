"""Somebody who is asked in by mail, and who may come in at all."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from libs.kernel import UserId
from services.auth.domain.address import EmailAddress
from services.auth.domain.errors import (
    EmailDomainRefusedError,
    InvitesRefusedError,
    RegistrationClosedError,
)

ADMIN_ROLE = "admin"


class RegistrationMode(StrEnum):
    """Who may open an account."""

    OPEN = "open"
    INVITE_ONLY = "invite_only"
    CLOSED = "closed"


@dataclass(frozen=True)
class RegistrationRules:
    """How people come in.

    Attributes:
        domains: In lower case; only addresses of these register, empty for any. An
            invitation goes to any address.
        is_member_inviting: Whether members invite too, not only administrators.
    """

    mode: RegistrationMode = RegistrationMode.OPEN
    domains: frozenset[str] = frozenset()
    is_member_inviting: bool = False

    def check_registration(self, email: EmailAddress) -> None:
        """Accept a registration without an invitation.

        Raises:
            RegistrationClosedError: Nobody registers so.
            EmailDomainRefusedError: Only other domains do.
        """
        if self.mode is not RegistrationMode.OPEN:
            raise RegistrationClosedError
        domain = email.key.partition("@")[2]
        if self.domains and domain not in self.domains:
            raise EmailDomainRefusedError

    def check_invites(self, roles: tuple[str, ...]) -> None:
        """Accept somebody who invites.

        Raises:
            InvitesRefusedError: Their roles do not invite, or nobody's do.
        """
        if self.mode is RegistrationMode.CLOSED:
            raise InvitesRefusedError
        if ADMIN_ROLE in roles:
            return
        if not self.is_member_inviting or "member" not in roles:
            raise InvitesRefusedError


@dataclass(frozen=True)
class Invite:
    """An invitation that waits to be accepted; gone when it is, or is revoked.

    Attributes:
        email: Clear only in memory.
        role: Of the account that it opens: member or guest.
    """

    invite_id: str
    email: EmailAddress
    role: str
    locale: str
    inviter_id: UserId
    created_at: datetime
    expires_at: datetime
