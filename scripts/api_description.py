"""The one description of the HTTP API: every service's own, as the gateway serves it.

A service's document says what it answers; the routing table says what of it is served,
for whom, and which headers arrive. Both go into one OpenAPI 3.1 document, and what the
gateway itself answers with: refusals, limits, faults.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from libs.chassis.version import VERSION
from scripts.api_schemas import SCHEMAS, clashing_names, reachable, renamed
from services.gateway.domain.errors import MethodNotAllowedError, RouteNotFoundError
from services.gateway.domain.headers import request_headers
from services.gateway.domain.route import Route
from services.gateway.domain.routing import RouteTable, parse_routes

TARGET = Path("services/gateway/openapi.json")
GATEWAY = "gateway"
_TABLE = Path("services/gateway/routes.json")
_TAGS = Path(__file__).with_name("api_tags.json")
_PROBLEM = {
    "application/problem+json": {"schema": {"$ref": f"{SCHEMAS}Problem"}},
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds until another try is worth it.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_REDIRECTS = {"301", "302", "303", "307", "308"}
# With an error where there was a token (RFC 6750, section 3).
_BEARER = {"type": "string", "pattern": '^Bearer( error="[a-z_]+")?$'}
_CHALLENGE = {"WWW-Authenticate": {"schema": _BEARER}}
_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token from `POST /api/v1/auth/login`; it lives for "
        "five minutes, `POST /api/v1/auth/refresh` gives the next.",
    },
    "personal": {
        "type": "http",
        "scheme": "bearer",
        "description": "A personal access token from `POST /api/v1/me/tokens` that has "
        "the scope named here; without this entry none is taken.",
    },
}
_DESCRIPTION = (
    "The HTTP API of a Parley installation. Every failure is a problem (RFC 9457) with "
    "a stable `code`; what the caller may not see is 404, exactly as if it were not "
    "there. Lists take `limit` and `cursor` and answer with `items` and `next_cursor`. "
    "A field that a request does not know is refused; an answer may gain fields at any "
    "time. An operation that will go is marked as deprecated. Live events come over "
    "Socket.IO and are described apart."
)


class MergeError(Exception):
    """Two services contradict each other; the sentence says where."""


def own_table() -> RouteTable:
    """Return the routing table that comes with the gateway."""
    raw = _TABLE.read_bytes()
    entries = json.loads(raw)["routes"]
    return parse_routes(
        raw,
        services=frozenset(entry["service"] for entry in entries),
        limit_classes=frozenset(
            entry.get("limit_class", "default") for entry in entries
        ),
        networks={"admin": ["::/0"]},
    )


def concrete(path: str) -> str:
    """Return a path that a template stands for."""
    return path.replace("{", "").replace("}", "")


def operations_of(
    document: Mapping[str, Any],
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and operation; methods in capitals."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def merge(
    documents: Mapping[str, Mapping[str, Any]], table: RouteTable
) -> dict[str, Any]:
    """Return the one document of what the gateway serves.

    Args:
        documents: OpenAPI documents by service; `gateway` holds its own routes. They
            are not changed.
        table: What is not routed to the service that describes it is left out.

    Raises:
        MergeError: Two services describe the same operation or tell a problem apart.
    """
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}
    clashing = clashing_names(documents.values())
    for service, document in sorted(documents.items()):
        copy = renamed(document, {name: service.title() + name for name in clashing})
        schemas |= copy["components"]["schemas"]
        for method, path, operation in operations_of(copy):
            route = _route(table, service, method, path)
            if route is None and service != GATEWAY:
                continue
            found = paths.setdefault(path, {})
            if method.lower() in found:
                raise MergeError(f"{method} {path} is described twice")
            found[method.lower()] = _served(method, operation, route)
    if "Problem" not in schemas:
        raise MergeError("the services' documents tell Problem apart")
    # The edge's own problems (sizes, slow clients) have a title and no sentence.
    told = [one for one in schemas["Problem"]["required"] if one != "detail"]
    schemas["Problem"] = {**schemas["Problem"], "required": told}
    return _document(paths, schemas)


def _document(
    paths: Mapping[str, Mapping[str, Any]], schemas: Mapping[str, Any]
) -> dict[str, Any]:
    used = {tag for _, _, one in operations_of({"paths": paths}) for tag in one["tags"]}
    tags = json.loads(_TAGS.read_text(encoding="utf-8"))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Parley",
            "version": VERSION,
            "description": _DESCRIPTION,
        },
        "servers": [{"url": "/", "description": "The installation that serves this."}],
        "tags": [tag for tag in tags if tag["name"] in used],
        "paths": paths,
        "components": {
            "schemas": reachable(paths, schemas),
            "responses": _responses(),
            "securitySchemes": _SCHEMES,
        },
    }


def _responses() -> dict[str, Any]:
    """Return the failures that every operation may answer with, by name."""

    def failure(description: str, headers: Mapping[str, Any]) -> dict[str, Any]:
        return {"description": description, "headers": headers, "content": _PROBLEM}

    return {
        "Refused": failure("Refused; `code` says why.", {}),
        "Unauthenticated": failure("No token, or one that is not good.", _CHALLENGE),
        "RateLimited": failure("Too much, too fast.", _RETRY_AFTER),
        "Failed": failure("Something behind failed; `code` says what.", {}),
        "Unavailable": failure("Not available now.", _RETRY_AFTER),
    }


def _served(
    method: str, operation: dict[str, Any], route: Route | None
) -> dict[str, Any]:
    """Return an operation as a client of the gateway meets it."""
    served = dict(operation)
    summary, _, more = operation.get("description", "").partition("\n\n")
    served["summary"] = " ".join(summary.split()).removesuffix(".")
    served.pop("description", None)
    if more:
        served["description"] = more
    parameters = [
        one for one in operation.get("parameters", ()) if _arrives(one, route)
    ]
    served.pop("parameters", None)
    if parameters:
        served["parameters"] = parameters
    if route is not None and route.deprecation is not None:
        served["deprecated"] = True
    served["security"] = _security(method, route)
    served["responses"] = {
        status: _without_body(response) if status in _REDIRECTS else response
        for status, response in operation["responses"].items()
        if status.startswith(("2", "3"))
    } | _failures(route)
    return served


def _failures(route: Route | None) -> dict[str, Any]:
    names = {"429": "RateLimited", "4XX": "Refused", "503": "Unavailable"}
    names["5XX"] = "Failed"
    if route is not None and not route.is_anonymous:
        names["401"] = "Unauthenticated"
    return {
        status: {"$ref": f"#/components/responses/{name}"}
        for status, name in names.items()
    }


def _without_body(response: Mapping[str, Any]) -> dict[str, Any]:
    """Return a redirect as it is: an address, no body."""
    location = {"Location": {"schema": {"type": "string"}}}
    return {"description": response["description"], "headers": location}


def _security(method: str, route: Route | None) -> list[dict[str, list[str]]]:
    if route is None or (route.is_anonymous and not route.reads_token):
        return []
    needed: list[dict[str, list[str]]] = [{"bearer": []}]
    scopes = [one for one in route.scopes if route.admits(method, [one])]
    if scopes:
        needed.append({"personal": scopes[:1]})
    return [{}, *needed] if route.is_anonymous else needed


def _arrives(parameter: Mapping[str, Any], route: Route | None) -> bool:
    """Tell whether the gateway lets a client's parameter through to the service."""
    if parameter["in"] != "header" or route is None:
        return True
    pair = (parameter["name"].lower().encode(), b"")
    return bool(request_headers([pair], has_cookies=route.has_cookies))


def _route(table: RouteTable, service: str, method: str, path: str) -> Route | None:
    try:
        route = table.find(method, concrete(path))
    except (RouteNotFoundError, MethodNotAllowedError):
        return None
    return route if route.service == service else None
