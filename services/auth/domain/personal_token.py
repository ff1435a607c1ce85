"""Tokens that people and bots make for programs, restricted and with an end."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from libs.kernel import SessionId, UserId
from services.auth.domain.session import RevokeReason, Session

PERSONAL_TOKEN_PREFIX: Final = "parley_pat_"  # noqa: S105 - what scanners look for
PERSONAL_TOKENS_PER_USER_MAX = 50
PERSONAL_TOKEN_TOUCH = timedelta(minutes=1)
"""How coarse its last use is kept."""


@dataclass(frozen=True)
class PersonalToken:
    """One token; its text is shown once and only its hash is kept.

    Attributes:
        token_id: Stands where a session's id stands, in tokens and in revocations.
        scopes: Of `libs.chassis.scopes.SCOPES`; at least one.
        token_hash: SHA-256 in hex.
    """

    token_id: SessionId
    user_id: UserId
    name: str
    scopes: tuple[str, ...]
    token_hash: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_live(self, at: datetime) -> bool:
        """Tell whether it is neither revoked nor expired."""
        return self.revoked_at is None and at < self.expires_at

    def revoked(self, at: datetime) -> "PersonalToken":
        """Return the token after its end."""
        return replace(self, revoked_at=at)

    def ended_session(self, reason: RevokeReason, at: datetime) -> Session:
        """Return the ended session that tells everyone of the token's end.

        Whoever watches sessions, by event, channel or list, so learns of tokens too.
        """
        return Session(
            session_id=self.token_id,
            user_id=self.user_id,
            device_name=self.name,
            created_at=self.created_at,
            last_used_at=at,
            expires_at=at,
            token_hash="",
            token_key_id="",
            revoked_at=at,
            revoke_reason=reason,
        )
