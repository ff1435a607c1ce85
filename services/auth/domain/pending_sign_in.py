"""A sign-in that proved the first factor and waits for the second (``pre_mfa``)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.kernel import UserId
from services.auth.domain.session import AuthMethod, ClientDevice

PENDING_SIGN_IN_LIFETIME = timedelta(minutes=5)
PENDING_SIGN_IN_TRIES_MAX = 5


@dataclass(frozen=True)
class PendingSignIn:
    """What is remembered between the factors.

    Attributes:
        token_hash: SHA-256 in hex of the token that the client holds.
        device: Of the first step. The session is for this client: its name, and
            whether its refresh token goes into the browser's cookie, are not asked
            for again.
        methods: What was proved so far.
        is_enrolment: The user has no second factor and must have one: this sign-in
            is finished by enrolling.
        tries: Guesses so far.
    """

    token_hash: str
    user_id: UserId
    device: ClientDevice
    methods: tuple[AuthMethod, ...]
    expires_at: datetime
    is_enrolment: bool = False
    tries: int = 0

    def is_open(self, at: datetime) -> bool:
        """Tell whether it can still be finished."""
        return at < self.expires_at and self.tries <= PENDING_SIGN_IN_TRIES_MAX
