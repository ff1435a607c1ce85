"""The routing table: which prefix goes where, on what conditions.

It is data (``routes.json``), read and checked once at start. Matching walks up the
path's segments, so its cost depends on the path's depth, not on the table's size.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from libs.chassis.scopes import SCOPES
from services.gateway.domain.errors import MethodNotAllowedError, RouteNotFoundError

_READING = frozenset({"GET", "HEAD"})
_SCOPES_MAX = 2
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})

PositiveSeconds = Annotated[float, Meta(gt=0, le=300)]
Bytes = Annotated[int, Meta(ge=0)]
Prefix = Annotated[str, Meta(pattern=r"^/api/v[0-9]+(/[a-z0-9.\-]+)+$")]


class RouteTableError(Exception):
    """The routing table is wrong; the sentence says where."""


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
        body_max_bytes: A larger body is refused with 413.
        body_timeout_seconds: From the first to the last byte of the request's body.
        timeout_seconds: From the request's last byte to the response's first, and
            between two parts of the response.
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
    body_max_bytes: Bytes = 1_048_576
    body_timeout_seconds: PositiveSeconds = 8.0
    timeout_seconds: PositiveSeconds = 5.0

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


class RouteTable:
    """Finds the route of a request.

    Args:
        routes: Entries; no two may have the same prefix and method.
        services: Names an entry may send to.
        limit_classes: Names an entry may be limited by.

    Raises:
        RouteTableError: An entry contradicts another or names what is not there.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        *,
        services: frozenset[str],
        limit_classes: frozenset[str],
    ) -> None:
        self.routes = tuple(routes)
        self._by_prefix: dict[str, dict[str, Route]] = {}
        for route in routes:
            _check(route, services, limit_classes)
            self._add(route)

    def find(self, method: str, path: str) -> Route:
        """Return the entry for a method and a normal path.

        Raises:
            RouteNotFoundError: No prefix matches.
            MethodNotAllowedError: The longest matching prefix has no such method.
        """
        prefix = path
        while prefix:
            entries = self._by_prefix.get(prefix)
            if entries is not None:
                return _pick(entries, method)
            prefix = prefix.rpartition("/")[0]
        raise RouteNotFoundError

    def _add(self, route: Route) -> None:
        entries = self._by_prefix.setdefault(route.prefix, {})
        for method in route.methods:
            if method in entries:
                raise RouteTableError(f"{method} {route.prefix} stands twice")
            entries[method] = route


def parse_routes(
    document: bytes, *, services: frozenset[str], limit_classes: frozenset[str]
) -> RouteTable:
    """Read a routing table.

    Args:
        document: JSON ``{"routes": [...]}`` with the fields of `Route`.
        services: See `RouteTable`.
        limit_classes: See `RouteTable`.

    Raises:
        RouteTableError: Not such a document.
    """
    try:
        table = msgspec.json.decode(document, type=dict[str, tuple[Route, ...]])
    except msgspec.MsgspecError as error:
        raise RouteTableError(str(error)) from error
    if set(table) != {"routes"}:
        raise RouteTableError('the table is {"routes": [...]}')
    return RouteTable(table["routes"], services=services, limit_classes=limit_classes)


def _check(
    route: Route, services: frozenset[str], limit_classes: frozenset[str]
) -> None:
    if not route.methods or not METHODS.issuperset(route.methods):
        raise RouteTableError(f"{route.prefix}: methods are some of {sorted(METHODS)}")
    if route.service not in services:
        raise RouteTableError(f"{route.prefix}: no service {route.service!r}")
    if not SCOPES.issuperset(route.scopes) or len(route.scopes) > _SCOPES_MAX:
        raise RouteTableError(f"{route.prefix}: scopes are one or two known ones")
    if route.limit_class not in limit_classes:
        raise RouteTableError(f"{route.prefix}: no limit class {route.limit_class!r}")


def _pick(entries: Mapping[str, Route], method: str) -> Route:
    route = entries.get(method)
    if route is None:
        raise MethodNotAllowedError(sorted(entries))
    return route
