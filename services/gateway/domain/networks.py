"""Lists of networks: who is served, by client address."""

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NetworkList:
    """Some networks.

    Args:
        texts: ``10.0.0.0/8``, ``2001:db8::/32``, single addresses.

    Raises:
        ValueError: One is none, or has bits set beyond its prefix.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(text) for text in texts)

    def __contains__(self, text: str) -> bool:
        """Tell whether an address lies in any; what is no address lies in none."""
        if not self._networks:
            return False
        address = parse_address(text)
        return address is not None and any(
            address in network
            for network in self._networks
            if network.version == address.version
        )


def named_networks(value: object, lists: Mapping[str, Iterable[str]]) -> NetworkList:
    """Return the list that an entry of a table means.

    Args:
        value: Networks, or names of lists.
        lists: What the names stand for.

    Raises:
        ValueError: It is no such thing.
    """
    if not isinstance(value, list) or not value:
        raise ValueError("networks are a list with one entry at least")
    texts: list[str] = []
    for entry in value:
        texts += lists.get(entry, [entry])
    return NetworkList(texts)


@lru_cache(maxsize=4_096)
def parse_address(text: str) -> Address | None:
    """Return the address that a text is, None for another text.

    An IPv4 address that came mapped into IPv6 is the IPv4 address: lists mean both.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if address.version == 6 else None  # noqa: PLR2004
    return mapped or address
