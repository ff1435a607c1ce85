"""One entry of the routing table: what is served where, for whom, and how."""

from collections.abc import Collection
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from services.gateway.domain.changes import (
    Deprecation,
    RequestChanges,
    ResponseChanges,
)
from services.gateway.domain.networks import NetworkList

_READING = frozenset({"GET", "HEAD"})

PositiveSeconds = Annotated[float, Meta(gt=0, le=300)]
Bytes = Annotated[int, Meta(ge=0)]
Prefix = Annotated[str, Meta(pattern=r"^/api/v[0-9]+(/[a-z0-9][a-z0-9.\-]*)+$")]
Priority = Literal["high", "normal", "low"]


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the table.

    Attributes:
        prefix: Whole segments from the start of the path; the longest prefix wins.
        methods: What it takes; an entry with the same prefix may take others.
        service: Who answers.
        is_anonymous: Whether it is served without a token; a token is then ignored
            unless `reads_token`.
        reads_token: Whether, on an anonymous route, a good token still tells who
            asks; a bad one is as none.
        has_cookies: Whether ``Cookie`` and ``Set-Cookie`` pass.
        is_idempotent: Whether the entry's methods beside GET and HEAD may be sent
            once more after a service broke off (HT-3).
        scopes: What a restricted token needs here: for reading (GET, HEAD) the first,
            for all else the last. Without any it is refused: an entry that says
            nothing is closed to restricted tokens.
        limit_class: Name of the rate limit that applies; the breakers count by it.
        cost: How many plain requests it weighs in its limits.
        priority: Who is served last to be refused when there is too much to do.
        body_max_bytes: A larger body is refused with 413.
        body_timeout_seconds: From the first to the last byte of the request's body.
        timeout_seconds: From the request's last byte to the response's first, and
            between two parts of the response.
        answer_timeout_seconds: From the request's last byte to the response's last
            (HT-3), without the time in which the client is waited for.
        allowed_networks: Whom it serves: networks, or names of lists in the settings;
            left out: everybody.
        denied_networks: Whom it does not serve, even if allowed.
        target_prefix: What takes the prefix's place on the way to the service, so that
            a version may be served by another one.
        request_headers: Changes on the way to the service.
        response_headers: Changes on the way to the client.
        deprecation: What clients are told of its end; the version's if left out.
    """

    prefix: Prefix
    methods: tuple[str, ...]
    service: str
    is_anonymous: bool = False
    reads_token: bool = False
    has_cookies: bool = False
    is_idempotent: bool = False
    scopes: tuple[str, ...] = ()
    limit_class: str = "default"
    cost: Annotated[int, Meta(ge=1, le=100)] = 1
    priority: Priority = "normal"
    body_max_bytes: Bytes = 1_048_576
    body_timeout_seconds: PositiveSeconds = 8.0
    timeout_seconds: PositiveSeconds = 5.0
    answer_timeout_seconds: PositiveSeconds = 10.0
    allowed_networks: NetworkList | None = None
    denied_networks: NetworkList | None = None
    target_prefix: Prefix | None = None
    request_headers: RequestChanges | None = None
    response_headers: ResponseChanges | None = None
    deprecation: Deprecation | None = None

    @property
    def version(self) -> str:
        """The version of the API that it belongs to: ``v1``."""
        return self.prefix.split("/", 3)[2]

    def serves(self, address: str) -> bool:
        """Tell whether it serves a client's address."""
        if self.denied_networks is not None and address in self.denied_networks:
            return False
        return self.allowed_networks is None or address in self.allowed_networks

    def target(self, path: str) -> str:
        """Return the path that the service knows for one of the route's."""
        if self.target_prefix is None:
            return path
        return self.target_prefix + path[len(self.prefix) :]

    def outside(self, location: bytes) -> bytes:
        """Return the path that clients know for one of the service's."""
        if self.target_prefix is None:
            return location
        inside = self.target_prefix.encode()
        rest = location[len(inside) :]
        is_below = location.startswith(inside) and (not rest or rest[:1] in b"/?#")
        return self.prefix.encode() + rest if is_below else location

    def admits(self, method: str, scopes: Collection[str]) -> bool:
        """Tell whether a token with these scopes may use a method of this route.

        Args:
            method: One that the route takes.
            scopes: Of the token; empty for one without restriction.
        """
        if not scopes:
            return True
        if not self.scopes:
            return False
        needed = self.scopes[0] if method in _READING else self.scopes[-1]
        return needed in scopes
