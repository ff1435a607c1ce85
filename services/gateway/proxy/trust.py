"""What the edge says about a request, and who may say it."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from libs.chassis.asgi import Scope
from services.gateway.domain.headers import first

_REQUEST_ID_PATTERN = re.compile(rb"[0-9A-Za-z\-]{16,64}")
_IPV6_PREFIX_BITS = 64

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Caller:
    """Where a request comes from.

    Attributes:
        address: The client's address, as the edge saw it; "unknown" without one.
        network: What address limits count: the address, or an IPv6 /64.
        request_id: The edge's id of this request, or None.
    """

    address: str
    network: str
    request_id: str | None


class Edge:
    """Reads the edge's headers; from anybody else they mean nothing.

    Args:
        trusted: Networks that the edge connects from.
    """

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)

    def caller(self, scope: Scope) -> Caller:
        """Return where a request comes from."""
        peer = (scope.get("client") or ("unknown", 0))[0]
        if not self._is_edge(peer):
            return Caller(peer, _network(peer), None)
        headers = scope["headers"]
        forwarded = first(headers, b"x-forwarded-for")
        # The last value is the one the edge itself added (security.md RL-5).
        last = (forwarded or b"").rpartition(b",")[2].strip().decode("latin-1")
        address = last if _parse(last) is not None else peer
        request_id = first(headers, b"x-request-id")
        is_good = request_id is not None and _REQUEST_ID_PATTERN.fullmatch(request_id)
        return Caller(
            address,
            _network(address),
            request_id.decode("ascii") if request_id and is_good else None,
        )

    def _is_edge(self, peer: str) -> bool:
        address = _parse(peer)
        return address is not None and any(
            address in network
            for network in self._trusted
            if network.version == address.version
        )


@lru_cache(maxsize=4_096)
def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=4_096)
def _network(text: str) -> str:
    address = _parse(text)
    if not isinstance(address, ipaddress.IPv6Address):
        return text
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_PREFIX_BITS), strict=False))
