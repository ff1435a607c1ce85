"""What the services describe is what the gateway routes."""

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from services.gateway.domain.routing import parse_routes

FOLDER = Path(__file__).parents[3] / "docs" / "openapi"
SERVICES = ("auth", "chat", "media", "notification", "project")
TABLE = parse_routes(
    (resources.files("services.gateway") / "routes.json").read_bytes(),
    services=frozenset(SERVICES),
    limit_classes=frozenset({"default", "login", "refresh"}),
)


def operations() -> Iterator[tuple[str, str, str]]:
    """Yield (service, method, path) of every public operation."""
    for service in SERVICES:
        document = json.loads((FOLDER / f"{service}.json").read_text())
        for path, methods in document["paths"].items():
            for method in methods:
                yield service, method.upper(), path


@pytest.mark.parametrize(("service", "method", "path"), [*operations()])
def test_every_operation_is_routed_to_its_service(
    service: str, method: str, path: str
) -> None:
    """FZ-3: documented, served and routed are the same set."""
    concrete = path.replace("{", "").replace("}", "")
    assert TABLE.find(method, concrete).service == service


def test_every_route_has_an_operation() -> None:
    """A dead route spends limits and connections on what nobody serves."""
    served = {
        (method, TABLE.find(method, path.replace("{", "").replace("}", "")).prefix)
        for _, method, path in operations()
    }
    routed = {
        (method, route.prefix) for route in TABLE.routes for method in route.methods
    }
    assert routed == served
