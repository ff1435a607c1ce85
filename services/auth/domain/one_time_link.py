"""A link in a mail that works once (PW-8): verify, reset, change of address, invite."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.auth.domain.address import EmailAddress
from services.auth.domain.guess import GuessPurpose
from services.auth.domain.user import Registration


class LinkPurpose(StrEnum):
    """What a link does; one never does what another was sent for."""

    VERIFICATION = "verification"
    RESET = "reset"
    EMAIL_CHANGE = "email_change"
    EMAIL_STOP = "email_stop"
    INVITE = "invite"

    @property
    def guess(self) -> GuessPurpose:
        """The budget of tries at such links."""
        return _GUESSES[self]


_GUESSES = {
    LinkPurpose.VERIFICATION: GuessPurpose.VERIFICATION,
    LinkPurpose.RESET: GuessPurpose.RESET,
    LinkPurpose.EMAIL_CHANGE: GuessPurpose.EMAIL_CHANGE,
    LinkPurpose.EMAIL_STOP: GuessPurpose.EMAIL_STOP,
    LinkPurpose.INVITE: GuessPurpose.INVITE,
}

LINK_LIFETIME = timedelta(minutes=30)
"""None of these links signs anybody in, else it were 10 minutes (PW-8)."""

INVITE_LIFETIME = timedelta(days=7)
"""Longer than PW-8's 30 minutes: whom it is sent to does not wait for it. It opens no
account that exists, works once, and can be revoked."""


STOP_LIFETIME = timedelta(days=3)
"""Longer than PW-8's 30 minutes: whoever changed an address may have chosen the night
for it. It opens nothing: it takes a change back and ends what came of it."""

SUSPECT_BEFORE = timedelta(days=3)
"""Whoever takes an account over adds a way in of their own first, then changes the
address: what is so young when that is asked for goes with it."""

_LIFETIMES = {
    LinkPurpose.INVITE: INVITE_LIFETIME,
    LinkPurpose.EMAIL_STOP: STOP_LIFETIME,
}


def lifetime_of(purpose: LinkPurpose) -> timedelta:
    """Return how long a link may wait to be followed."""
    return _LIFETIMES.get(purpose, LINK_LIFETIME)


@dataclass(frozen=True)
class OneTimeLink:
    """A link that waits to be followed.

    Attributes:
        token_hash: SHA-256 of the token, in hex; the token itself is only in the mail.
        subject_id: The user's id; of an invitation, its own.
        registration: What following a verification activates.
        new_email: What following a change of the address, or its stop, makes the
            address.
    """

    token_hash: str
    purpose: LinkPurpose
    subject_id: str
    expires_at: datetime
    registration: Registration | None = None
    new_email: EmailAddress | None = None

    def is_expired(self, at: datetime) -> bool:
        """Tell whether the link came too late."""
        return at >= self.expires_at
