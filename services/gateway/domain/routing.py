"""The routing table: which prefix goes where, on what conditions.

It is data (``routes.json``), read and checked once at start. Matching walks up the
path's segments, so its cost depends on the path's depth, not on the table's size.
"""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import msgspec

from libs.chassis.scopes import SCOPES
from services.gateway.domain.changes import Deprecation, HeaderChanges
from services.gateway.domain.errors import MethodNotAllowedError, RouteNotFoundError
from services.gateway.domain.networks import NetworkList, named_networks
from services.gateway.domain.route import Route

_SCOPES_MAX = 2
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


class RouteTableError(Exception):
    """The routing table is wrong; the sentence says where."""


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
        for route in routes:
            self._check_successor(route)

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

    def _check_successor(self, route: Route) -> None:
        successor = route.deprecation.successor if route.deprecation else None
        if successor is None:
            return
        if not any(f"{one}/".startswith(f"{successor}/") for one in self._by_prefix):
            raise RouteTableError(f"{route.prefix}: no route {successor!r} succeeds it")

    def _add(self, route: Route) -> None:
        entries = self._by_prefix.setdefault(route.prefix, {})
        for method in route.methods:
            if method in entries:
                raise RouteTableError(f"{method} {route.prefix} stands twice")
            entries[method] = route


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    routes: tuple[Route, ...]
    versions: dict[str, Deprecation] = {}


def parse_routes(
    document: bytes,
    *,
    services: frozenset[str],
    limit_classes: frozenset[str],
    networks: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> RouteTable:
    """Read a routing table.

    Args:
        document: JSON ``{"routes": [...]}`` with the fields of `Route`, and
            ``"versions": {"v1": {...}}`` with those of `Deprecation`.
        services: See `RouteTable`.
        limit_classes: See `RouteTable`.
        networks: Lists of networks that an entry may name.

    Raises:
        RouteTableError: Not such a document.
    """

    def decode(kind: type, value: object) -> object:
        if kind is NetworkList:
            return named_networks(value, networks)
        changes: type[HeaderChanges] = kind
        return changes.parse(value)

    try:
        table = msgspec.json.decode(document, type=_Document, dec_hook=decode)
    except msgspec.MsgspecError as error:
        raise RouteTableError(str(error)) from error
    routes = [_of_version(route, table.versions) for route in table.routes]
    unknown = set(table.versions) - {route.version for route in routes}
    if unknown:
        raise RouteTableError(f"no route of version {', '.join(sorted(unknown))}")
    return RouteTable(routes, services=services, limit_classes=limit_classes)


def _of_version(route: Route, versions: Mapping[str, Deprecation]) -> Route:
    if route.deprecation is not None or route.version not in versions:
        return route
    return msgspec.structs.replace(route, deprecation=versions[route.version])


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
    if route.answer_timeout_seconds < route.timeout_seconds:
        raise RouteTableError(f"{route.prefix}: an answer ends before it may begin")


def _pick(entries: Mapping[str, Route], method: str) -> Route:
    route = entries.get(method)
    if route is None:
        raise MethodNotAllowedError(sorted(entries))
    return route
