"""A delivery: one push to one device or one mail to one address, with its retry."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from libs.kernel import ConversationId, EventId, MessageId, UserId

MESSAGES_PER_MAIL = 20
CLAIMS_MAX = 20
"""A delivery claimed so often without an outcome kills its process: it is given up."""

UNKNOWNS_MAX = 2
"""Tries whose answer was lost: with the second, two copies may be out already."""

BACKOFF_FIRST = timedelta(seconds=2)
BACKOFF_MAX = timedelta(minutes=10)
PAUSE_FIRST = timedelta(seconds=1)
PAUSE_MAX = timedelta(seconds=30)


class Channel(StrEnum):
    """The way a delivery takes; the value is what notification.* events say."""

    PUSH = "push"
    EMAIL = "email"


class DeliveryState(StrEnum):
    """Where a delivery stands; all but pending are final."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class NoticeKind(StrEnum):
    """The mails about an account."""

    VERIFICATION = "verification"
    WELCOME = "welcome"
    RESET = "reset"
    PASSWORD_VOIDED = "password_voided"  # noqa: S105  # pragma: allowlist secret
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # pragma: allowlist secret
    PASSWORD_GUESSED = "password_guessed"  # noqa: S105  # pragma: allowlist secret
    SESSION_REUSED = "session_reused"
    EMAIL_CHANGE = "email_change"
    EMAIL_CHANGED = "email_changed"
    MFA_CHANGED = "mfa_changed"
    IDENTITY_CHANGED = "identity_changed"
    EMAIL_STOP = "email_stop"
    DELETION_REQUESTED = "deletion_requested"
    DELETION_CANCELLED = "deletion_cancelled"
    INVITATION = "invitation"


ORDERED = "ordered"
"""An administrator wanted it, not the account's owner."""


@dataclass(frozen=True)
class Notice:
    """What a mail about an account says; wholly private.

    Attributes:
        address: Where it goes.
        name: Whom it greets; for an invitation, who invites.
        token: Secret of the link in the mail, or None.
        valid_until: When the link ends; of a deletion, when it is done.
        change: What happened, for kinds that tell of several things, as the event
            says it; `ORDERED` where an administrator wanted a deletion or its end.
    """

    kind: NoticeKind
    address: str = field(repr=False)
    name: str = field(repr=False)
    locale: str
    token: str | None = field(default=None, repr=False)
    valid_until: datetime | None = None
    change: str | None = None


@dataclass(frozen=True)
class Origin:
    """The event a delivery goes back to.

    Attributes:
        event_id: Id of the event: with channel and target the idempotency key.
        correlation_id: Follows one user action.
        traceparent: W3C trace context of the event, or None.
    """

    event_id: EventId
    correlation_id: str
    traceparent: str | None = None

    @property
    def trace_id(self) -> str | None:
        """The 32 hexadecimal digits of the trace, or None."""
        parts = (self.traceparent or "").split("-")
        return parts[1] if len(parts) >= 3 else None  # noqa: PLR2004 - version-trace-span


@dataclass(frozen=True)
class MessageRef:
    """A message that a delivery tells of."""

    message_id: MessageId
    seq: int


@dataclass(frozen=True)
class Delivery:
    """One push or mail, from decision to outcome.

    Attributes:
        delivery_id: UUIDv7; Message-ID and push id derive from it, so that every
            try carries the same.
        target: Device id of a push; user id of a mail, with a suffix where one
            event mails two addresses.
        user_id: None for somebody who has no account yet.
        due_at: Not before; a claim moves it to the end of the lease.
        expires_at: Not after: it is dropped then.
        messages: What it tells of; at most `MESSAGES_PER_MAIL`, one for a push.
        more_count: Messages beyond `messages`.
        notice: Set for a mail about an account, else None.
        attempts: Tries that the provider answered or may have taken.
        unknowns: Those of them that it may have taken.
        claims: Times a dispatcher took it.
        claim_id: Fencing token of the current claim.
    """

    delivery_id: str
    channel: Channel
    target: str
    user_id: UserId | None
    origin: Origin
    created_at: datetime
    due_at: datetime
    expires_at: datetime
    conversation_id: ConversationId | None = None
    messages: tuple[MessageRef, ...] = ()
    more_count: int = 0
    notice: Notice | None = None
    attempts: int = 0
    unknowns: int = 0
    claims: int = 0
    claim_id: str | None = None


@dataclass(frozen=True)
class Accepted:
    """The provider took it."""

    provider_id: str | None = None


@dataclass(frozen=True)
class Rejected:
    """The provider will never take it.

    Attributes:
        reason: Stable slug.
        is_target_dead: The address or token itself is no good: it is not used again.
    """

    reason: str
    is_target_dead: bool = False


@dataclass(frozen=True)
class Postponed:
    """The provider did not take this one; it may later."""

    reason: str


@dataclass(frozen=True)
class Unknown:
    """The provider's answer was lost: it may have taken it or not.

    One more try is made under the same id, and never a third (`UNKNOWNS_MAX`).
    """

    reason: str


@dataclass(frozen=True)
class Unreachable:
    """The provider takes nothing now: the whole channel waits.

    Attributes:
        reason: Stable slug.
        retry_after: What the provider asked for, or None.
        is_attempt: Whether this delivery reached the provider, which refused it.
    """

    reason: str
    retry_after: timedelta | None = None
    is_attempt: bool = False


Outcome = Accepted | Rejected | Postponed | Unknown | Unreachable


def backoff(
    attempts: int,
    retry_after: timedelta | None,
    jitter: Callable[[], float] = random.random,
) -> timedelta:
    """Return how long a delivery waits after its nth unsuccessful try.

    Doubles from `BACKOFF_FIRST` to `BACKOFF_MAX`, plus up to a quarter at random, so
    that what failed together does not come back together. Never earlier than the
    provider asked for.

    Args:
        attempts: Tries so far, at least 1.
        retry_after: The provider's Retry-After, or None.
        jitter: Returns 0..1.
    """
    doubled: timedelta = BACKOFF_FIRST * 2 ** min(attempts - 1, 16)
    wait = max(min(doubled, BACKOFF_MAX), retry_after or timedelta())
    return wait * (1 + jitter() / 4)


def channel_pause(failures: int, retry_after: timedelta | None) -> timedelta:
    """Return how long a channel waits after its nth failure in a row.

    Short at most (`PAUSE_MAX`), since one probe tells whether the provider is back;
    never shorter than the provider asked for.
    """
    doubled: timedelta = PAUSE_FIRST * 2 ** min(failures - 1, 16)
    return max(min(doubled, PAUSE_MAX), retry_after or timedelta())
