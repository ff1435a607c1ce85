"""The single-use proof that an address belongs to who registered it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.kernel import UserId
from services.auth.domain.user import Registration

VERIFICATION_LIFETIME = timedelta(minutes=30)


@dataclass(frozen=True)
class Verification:
    """A link that waits to be followed.

    Attributes:
        token_hash: SHA-256 of the token, in hex; the token itself is only in the mail.
        registration: What following the link activates.
    """

    token_hash: str
    user_id: UserId
    registration: Registration
    expires_at: datetime

    def is_expired(self, at: datetime) -> bool:
        """Tell whether the link came too late."""
        return at >= self.expires_at
