"""A try at somebody's secret, as the counters see it (LT-1 to LT-5)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class GuessPurpose(StrEnum):
    """Which secret is tried; each has a budget of its own.

    A secret has one budget wherever it is asked for: the password at sign-in is the
    password at step-up.
    """

    PASSWORD = "password"  # noqa: S105  # pragma: allowlist secret
    ONE_TIME_CODE = "one-time-code"
    RECOVERY_CODE = "recovery-code"
    VERIFICATION = "verification"
    RESET = "reset"
    EMAIL_STOP = "email-stop"
    EMAIL_CHANGE = "email-change"
    INVITE = "invite"
    REFRESH = "refresh"
    PROVIDER_LINK = "provider-link"


@dataclass(frozen=True)
class Guess:
    """One try.

    Attributes:
        subject: Whose secret: a mail address's key, a user's id. Empty where the
            secret itself would name its owner (a link, a refresh token): then all
            tries from one network are tries at one secret.
        client_address: IP address as the gateway saw it; empty where unknown.
    """

    purpose: GuessPurpose
    subject: str
    client_address: str

    @classmethod
    def of_bearer(cls, purpose: GuessPurpose, client_address: str) -> Self:
        """Return a try at a secret that names its owner itself."""
        return cls(purpose, "", client_address)
