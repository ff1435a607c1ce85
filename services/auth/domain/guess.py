"""A try at somebody's secret, as the counters see it (LT-1 to LT-5)."""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

WRONG_TOLD: Final = 3
"""So many wrong ones before the right one are no slip of the owner's fingers."""

_IPV6_PREFIX: Final = 64  # a network: one customer holds 2 ** 64 addresses of it


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


def network_of(client_address: str) -> str:
    """Return what counts as one client: an IPv4 address or an IPv6 /64."""
    try:
        address = ipaddress.ip_address(client_address)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        network = ipaddress.ip_network((address, _IPV6_PREFIX), strict=False)
        return str(network)
    return str(address)
