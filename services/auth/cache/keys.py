"""Redis keys of the counters; nothing private is readable in one."""

import ipaddress
from typing import Final

from services.auth.domain import BlindIndex, EmailAddress, Guess

_IPV6_PREFIX: Final = 64  # a network: one customer holds 2 ** 64 addresses of it


class ThrottleKeys:
    """Redis keys of the counters; addresses of mail and network are hashed."""

    def __init__(self, index: BlindIndex) -> None:
        self._index = index

    def guess(self, guess: Guess) -> list[str]:
        """Return the keys of pair, account, and the address's failed and running."""
        purpose = guess.purpose.value
        network = self._index.value(f"network|{network_of(guess.client_address)}")
        account = self._index.value(f"account|{guess.subject or network}")
        return [
            f"auth:guess-pair:{purpose}:{account}:{network}",
            f"auth:guess-account:{purpose}:{account}",
            f"auth:guess-failed:{purpose}:{network}",
            f"auth:guess-running:{purpose}:{network}",
        ]

    def mail(self, email: EmailAddress) -> str:
        """Return the key of the mails to an address."""
        return f"auth:mail:{self._index.value(f'account|{email.key}')}"


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
