"""What the edge says about a request, and who may say it."""

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple

from libs.chassis.asgi import Scope
from services.gateway.domain.headers import first
from services.gateway.domain.networks import NetworkList, parse_address

_REQUEST_ID_PATTERN = re.compile(rb"[0-9A-Za-z\-]{16,64}")
_IPV6_PREFIX_BITS = 64


class Caller(NamedTuple):
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

    def __init__(self, trusted: NetworkList) -> None:
        # The edge has few addresses, and each of its requests asks for one of them.
        self._is_trusted = lru_cache(maxsize=1_024)(trusted.__contains__)

    def caller(self, scope: Scope) -> Caller:
        """Return where a request comes from."""
        peer = (scope.get("client") or ("unknown", 0))[0]
        if not self._is_trusted(peer):
            return Caller(peer, _network(peer), None)
        headers = scope["headers"]
        forwarded = first(headers, b"x-forwarded-for")
        # The last value is the one the edge itself added (security.md RL-5).
        last = (forwarded or b"").rpartition(b",")[2].strip().decode("latin-1")
        address = last if parse_address(last) is not None else peer
        request_id = first(headers, b"x-request-id")
        is_good = request_id is not None and _REQUEST_ID_PATTERN.fullmatch(request_id)
        return Caller(
            address,
            _network(address),
            request_id.decode("ascii") if request_id and is_good else None,
        )


@lru_cache(maxsize=4_096)
def _network(text: str) -> str:
    address = parse_address(text)
    if address is None:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, _IPV6_PREFIX_BITS), strict=False))
