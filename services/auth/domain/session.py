"""A sign-in on a device, and the family of refresh tokens that belongs to it.

Source: RT-1 to RT-4 of the security requirements; RFC 9700 section 4.14.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum

from libs.chassis.freshness import STEP_UP_FRESH
from libs.kernel import SessionId, UserId

SESSION_IDLE = timedelta(days=7)
SESSION_ABSOLUTE = timedelta(days=30)
SESSIONS_PER_USER_MAX = 20
REFRESH_GRACE = timedelta(seconds=10)


class RevokeReason(StrEnum):
    """Why a session ended, as ``session.revoked`` says it."""

    LOGOUT = "logout"
    REVOKED = "revoked"
    PASSWORD_VOIDED = "password_voided"  # noqa: S105  # pragma: allowlist secret
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # pragma: allowlist secret
    PASSWORD_RESET = "password_reset"  # noqa: S105  # pragma: allowlist secret
    MFA_CHANGED = "mfa_changed"
    STEPPED_UP = "stepped_up"
    REUSED = "reused"
    SUSPENDED = "suspended"
    ROLES_CHANGED = "roles_changed"
    DELETED = "deleted"
    EXPIRED = "expired"
    RESTORED = "restored"


class AuthMethod(StrEnum):
    """How somebody proved who they are; the values of ``amr`` (RFC 8176).

    ``oidc`` is ours: another provider vouched for the person.
    """

    PASSWORD = "pwd"  # noqa: S105  # pragma: allowlist secret
    ONE_TIME_CODE = "otp"
    RECOVERY_CODE = "kba"
    PASSKEY = "hwk"
    PROVIDER = "oidc"


_SECOND = frozenset(
    {AuthMethod.ONE_TIME_CODE, AuthMethod.RECOVERY_CODE, AuthMethod.PASSKEY}
)


def proves_two_factors(methods: Iterable[AuthMethod]) -> bool:
    """Tell whether these methods together are two factors.

    A passkey that checked its holder is two at once; codes are only ever taken after
    another factor. The word of another provider is one, whatever it asked for.
    """
    return not _SECOND.isdisjoint(methods)


@dataclass(frozen=True)
class ClientDevice:
    """Where a sign-in comes from.

    Attributes:
        name: As the client calls itself; cleaned, shown in the list of sessions.
        address: IP address as the gateway saw it; empty where it is not known.
        has_cookie: Whether the refresh token goes into the browser's cookie.
        provider_id: Provider that vouched for the person; empty without one.
        provider_session_hash: Of the session there, for its logout.
    """

    name: str
    address: str
    has_cookie: bool
    provider_id: str = ""
    provider_session_hash: str = ""


class TokenFit(Enum):
    """How a refresh token stands to its session."""

    CURRENT = "current"
    PARENT_IN_GRACE = "parent_in_grace"
    SPENT = "spent"


@dataclass(frozen=True)
class Session:
    """One sign-in.

    Attributes:
        device_name: As the client calls itself; shown in the list of sessions.
        last_used_at: Last sign-in or refresh; the session idles out 7 days later.
        expires_at: Absolute end, 30 days after the sign-in.
        token_hash: SHA-256 in hex of the refresh token that is good now.
        token_key_id: Ring key that made this token from its parent, so that a
            retried refresh makes the same one even after a rotation of the ring.
        parent_hash: SHA-256 of the token before; None before the first refresh.
        rotated_at: When that token was spent.
        is_cookie: Whether the token lives in the browser's cookie.
        client_address: IP address of the last sign-in or refresh; empty where it is
            not known.
        authenticated_at: When its owner last proved who they are; `STEP_UP_FRESH`
            later a sensitive action asks for it again. None for sessions from
            before this was kept: never fresh.
        methods: How they proved it.
        provider_id: Provider that vouched for them; empty without one.
        provider_session_hash: Of the session there; its logout ends this one.
    """

    session_id: SessionId
    user_id: UserId
    device_name: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    token_hash: str
    token_key_id: str
    parent_hash: str | None = None
    rotated_at: datetime | None = None
    is_cookie: bool = False
    client_address: str = ""
    authenticated_at: datetime | None = None
    methods: tuple[AuthMethod, ...] = ()
    provider_id: str = ""
    provider_session_hash: str = ""
    revoked_at: datetime | None = None
    revoke_reason: RevokeReason | None = None

    def is_live(self, at: datetime) -> bool:
        """Tell whether the session is neither revoked nor expired."""
        is_expired = at >= self.expires_at or at >= self.last_used_at + SESSION_IDLE
        return self.revoked_at is None and not is_expired

    def is_fresh(self, at: datetime) -> bool:
        """Tell whether its owner proved who they are a short while ago (MF-6)."""
        proved_at = self.authenticated_at
        return proved_at is not None and at - proved_at <= STEP_UP_FRESH

    def fit_of(self, token_hash: str, at: datetime) -> TokenFit:
        """Tell what a genuine token of this family is worth now.

        The direct parent is good for 10 seconds, for a client that sent two
        refreshes at once or lost the answer; it stops being the parent when its
        child is used.
        """
        if token_hash == self.token_hash:
            return TokenFit.CURRENT
        is_parent = token_hash == self.parent_hash and self.rotated_at is not None
        if is_parent and self.rotated_at and at - self.rotated_at <= REFRESH_GRACE:
            return TokenFit.PARENT_IN_GRACE
        return TokenFit.SPENT

    def rotated(
        self, token_hash: str, key_id: str, at: datetime, address: str = ""
    ) -> "Session":
        """Return the session after its current token was spent for a child."""
        return replace(
            self,
            token_hash=token_hash,
            token_key_id=key_id,
            parent_hash=self.token_hash,
            rotated_at=at,
            last_used_at=at,
            client_address=address or self.client_address,
        )

    def revoked(self, reason: RevokeReason, at: datetime) -> "Session":
        """Return the session after its end."""
        return replace(self, revoked_at=at, revoke_reason=reason)
