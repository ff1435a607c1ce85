"""Ids in paths: what no id looks like is missing, never malformed."""

from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from fastapi import APIRouter

from libs.chassis.app import create_http_app
from libs.chassis.health import Health
from libs.chassis.paths import id_or
from libs.chassis.security import CurrentPrincipal, Principal
from libs.kernel import NotFoundError, ProjectId, new_id
from tests.support.asgi import AsgiClient

router = APIRouter(prefix="/api/v1/things")


class ThingMissingError(NotFoundError):
    """There is no such thing."""

    def __init__(self) -> None:
        super().__init__("thing_not_found", "No such thing.")


@router.get("/{thing_id}")
async def get_thing(
    thing_id: Annotated[ProjectId, id_or(ThingMissingError)], _: CurrentPrincipal
) -> str:
    """Return the id."""
    return thing_id


@pytest.fixture
async def client(settings):
    """A service with one route."""

    @asynccontextmanager
    async def lifespan(_app):
        yield {}

    app = create_http_app(
        settings, lifespan=lifespan, routers=[router], title="Things", health=Health()
    )
    async with AsgiClient(app) as running:
        yield running


@pytest.mark.parametrize(
    "shape",
    ["abc", "A" * 36, "x" * 300, "%00", "00000000-0000-0000-0000-000000000000"],
)
async def test_a_malformed_id_is_the_routes_own_404(client, callers, shape):
    """The same code as for an unknown id; but strangers learn nothing at all."""
    path = f"/api/v1/things/{shape}"
    headers = callers.headers("demo", Principal("u1", "s1"))
    answer = await client.request("GET", path, headers=headers)
    assert (answer.status, answer.json()["code"]) == (404, "thing_not_found")
    assert (await client.request("GET", path)).status == 401


async def test_an_id_passes(client, callers):
    """It arrives as it was sent."""
    thing_id = new_id()
    headers = callers.headers("demo", Principal("u1", "s1"))
    path = f"/api/v1/things/{thing_id}"
    answer = await client.request("GET", path, headers=headers)
    assert answer.json() == thing_id
