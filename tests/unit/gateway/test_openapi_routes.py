"""What the services serve, what the gateway routes and what is described are one."""

import importlib
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from services.gateway.app import OWN_PATHS
from services.gateway.domain.routing import parse_routes

FOLDER = Path(__file__).parents[3] / "docs" / "openapi"
SERVICES = ("auth", "chat", "media", "notification", "project")
TABLE = parse_routes(
    (resources.files("services.gateway") / "routes.json").read_bytes(),
    services=frozenset(SERVICES),
    limit_classes=frozenset({"default", "login", "refresh"}),
    networks={"admin": ["::/0"]},
)
MERGED = json.loads((resources.files("services.gateway") / "openapi.json").read_text())
OPERATIONAL = {"/health", "/health/live", "/health/ready", "/metrics"}


def operations() -> Iterator[tuple[str, str, str]]:
    """Yield (service, method, path) of every public operation."""
    for service in SERVICES:
        document = json.loads((FOLDER / f"{service}.json").read_text())
        for path, methods in document["paths"].items():
            for method in methods:
                yield service, method.upper(), path


def served(service: str) -> set[tuple[str, str]]:
    """Return what a service's own routers answer below /api, hidden or not."""
    module = importlib.import_module(f"services.{service}.api")
    routers = getattr(module, "ROUTERS", None) or (module.router,)
    return {
        (method, route.path)
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and not route.path.startswith("/internal")
        for method in route.methods
    }


def concrete(path: str) -> str:
    """Return a path that a template stands for."""
    return path.replace("{", "").replace("}", "")


@pytest.mark.parametrize(("service", "method", "path"), [*operations()])
def test_every_operation_is_routed_to_its_service(
    service: str, method: str, path: str
) -> None:
    """FZ-3: documented, served and routed are the same set."""
    assert TABLE.find(method, concrete(path)).service == service


def test_every_route_has_an_operation() -> None:
    """A dead route spends limits and connections on what nobody serves."""
    reached = {
        (method, TABLE.find(method, concrete(path)).prefix)
        for _, method, path in operations()
    }
    routed = {
        (method, route.prefix) for route in TABLE.routes for method in route.methods
    }
    assert routed == reached


def test_the_merged_description_is_what_is_served() -> None:
    """FZ-3: every public route of every service and of the gateway, and no other."""
    described = {
        (method.upper(), path)
        for path, methods in MERGED["paths"].items()
        for method in methods
    }
    assert described == set().union(*map(served, (*SERVICES, "gateway")))
    own = {path for _, path in served("gateway")}
    assert own | OPERATIONAL == OWN_PATHS


def test_who_may_call_is_what_the_table_says() -> None:
    """Anonymous routes need nothing; where a token is read, it may be left out."""
    for path, methods in MERGED["paths"].items():
        if path in OWN_PATHS:
            assert [one["security"] for one in methods.values()] == [[]]
            continue
        for method, operation in methods.items():
            route = TABLE.find(method.upper(), concrete(path))
            needs_none = not operation["security"] or {} in operation["security"]
            assert needs_none == route.is_anonymous
            assert ("401" in operation["responses"]) == (not route.is_anonymous)
            assert bool(operation["security"]) == (
                route.reads_token or not route.is_anonymous
            )


def test_no_header_is_described_that_the_gateway_takes_away() -> None:
    """What services are told by the gateway is no parameter of a client."""
    names = {
        parameter["name"]
        for methods in MERGED["paths"].values()
        for operation in methods.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "header"
    }
    assert not {name for name in names if name.lower().startswith("x-client-")}
