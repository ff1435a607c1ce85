"""Passkeys: keys that sign a challenge of this installation alone (WebAuthn)."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.auth.domain.errors import PasskeyClonedError

PASSKEYS_PER_USER_MAX = 20
PASSKEY_CHALLENGE_LIFETIME = timedelta(minutes=5)


class CeremonyPurpose(StrEnum):
    """What a challenge is for; it does nothing else."""

    REGISTRATION = "registration"
    SIGN_IN = "sign_in"
    SECOND_FACTOR = "second_factor"
    STEP_UP = "step_up"


@dataclass(frozen=True)
class Ceremony:
    """A challenge that waits for its answer.

    Attributes:
        challenge_hash: SHA-256 in hex of the challenge, 256 random bits.
        binding: What it belongs to: a session's id, or the hash of a pending
            sign-in's token; empty for a sign-in with a passkey alone.
    """

    challenge_hash: str
    purpose: CeremonyPurpose
    binding: str
    expires_at: datetime

    def fits(self, purpose: CeremonyPurpose, binding: str, at: datetime) -> bool:
        """Tell whether an answer may be taken for this now."""
        is_same = (self.purpose, self.binding) == (purpose, binding)
        return is_same and at < self.expires_at


@dataclass(frozen=True)
class Passkey:
    """One key of a user.

    Attributes:
        passkey_id: Ours; names it in routes.
        credential_id: The authenticator's, base64url; unique over all users.
        public_key: COSE.
        sign_count: Uses that the authenticator counted; 0 for ever where it does
            not count.
        opens_alone: Whether it signs in without anything before it: it holds who it
            belongs to and checks its holder. What the browser said when it was made,
            or proved by such a sign-in.
    """

    passkey_id: str
    credential_id: str
    name: str
    public_key: bytes = field(repr=False)
    sign_count: int
    created_at: datetime
    last_used_at: datetime | None = None
    opens_alone: bool = False

    def used(
        self, sign_count: int, at: datetime, *, is_alone: bool = False
    ) -> "Passkey":
        """Return the key after a good signature.

        Args:
            sign_count: As the authenticator says.
            at: Now.
            is_alone: Whether it signed in without anything before it.

        Raises:
            PasskeyClonedError: The counter did not grow: two authenticators hold it.
        """
        counts = sign_count > 0 or self.sign_count > 0
        if counts and sign_count <= self.sign_count:
            raise PasskeyClonedError
        return replace(
            self,
            sign_count=sign_count,
            last_used_at=at,
            opens_alone=self.opens_alone or is_alone,
        )
