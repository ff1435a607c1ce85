"""AZ-2, AZ-3, AZ-5, AZ-9 over project's HTTP routes: every id, swapped."""

from contextlib import asynccontextmanager

import pytest
from pydantic_settings import SettingsConfigDict

from libs.chassis.app import create_http_app
from libs.chassis.health import Health
from libs.chassis.security import Principal
from libs.chassis.settings import ServiceSettings
from libs.kernel import new_id
from services.project.api import router
from services.project.domain import Role
from tests.support.asgi import AsgiClient, InternalCallers

API = "/api/v1/projects"
CANARY = "canary of somebody else"


class Settings(ServiceSettings):
    """Project's, without what the memory adapters need none of."""

    model_config = SettingsConfigDict(env_prefix="PROJECT_")


@pytest.fixture
async def ask(rig, tmp_path):
    """Ask as a user; return status and body without what differs by request."""
    callers = InternalCallers(tmp_path)
    settings = Settings(
        port=23599,
        public_url="http://localhost:23500",
        internal_jwks_file=callers.jwks_file,
        data_dir=tmp_path,
        environment="test",
    )

    @asynccontextmanager
    async def lifespan(_):
        yield {"projects": rig.projects, "collaborators": rig.collaborators}

    app = create_http_app(
        settings, lifespan=lifespan, routers=[router], title="project", health=Health()
    )
    async with AsgiClient(app) as client:

        async def ask(user_id, method, path, body=None):
            headers = callers.headers("project", Principal(user_id, "s-1"))
            answer = await client.request(
                method, f"{API}{path}", json_body=body, headers=headers
            )
            told = answer.json() if answer.body else {}
            told.pop("trace_id", None)
            return answer.status, told

        yield ask


OPERATIONS = [
    ("GET", "/{project}", None),
    ("PATCH", "/{project}", {"name": "mine"}),
    ("DELETE", "/{project}", None),
    ("POST", "/{project}/archive", {"is_archived": True}),
    ("GET", "/{project}/collaborators", None),
    ("POST", "/{project}/collaborators", {"user_id": "{user}", "role": "admin"}),
    ("PATCH", "/{project}/collaborators/{user}", {"role": "admin"}),
    ("DELETE", "/{project}/collaborators/{user}", None),
]


def test_az_2_every_operation_with_an_id_is_here():
    """AZ-2: a route without a row is one whose ids nobody swapped."""
    served = {
        (method, route.path.removeprefix(API))
        for route in router.routes
        for method in route.methods
        if "{" in route.path
    }
    named = {"{project}": "{project_id}", "{user}": "{user_id}"}
    here = set()
    for method, path, _ in OPERATIONS:
        for short, name in named.items():
            path = path.replace(short, name)  # noqa: PLW2901 - what it is called
        here.add((method, path))
    assert here == served


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
async def test_az_2_a_foreign_project_is_a_missing_one(rig, ask, method, path, body):
    """AZ-2: on every route, to somebody who owns another project."""
    theirs, (owner, _) = await rig.project_with(Role.COLLABORATOR)
    _, (other,) = await rig.project_with()
    filled = {
        k: v.format(user=owner) if isinstance(v, str) else v
        for k, v in (body or {}).items()
    } or None
    answers = [
        await ask(other, method, path.format(project=one, user=owner), filled)
        for one in (theirs, new_id())
    ]
    assert answers[0] == answers[1]
    assert answers[0][1]["code"] == "project_not_found"


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_az_3_a_collaborator_is_reached_through_their_own_project(
    rig, ask, method
):
    """AZ-3: somebody of another project, through one's own, is nobody."""
    _, (_, foreign) = await rig.project_with(Role.COLLABORATOR)
    mine, (owner,) = await rig.project_with()
    body = {"role": "admin"} if method == "PATCH" else None
    answers = [
        await ask(owner, method, f"/{mine}/collaborators/{one}", body)
        for one in (foreign, new_id())
    ]
    assert answers[0] == answers[1]
    assert answers[0] == (404, answers[0][1])


async def test_az_2_a_cursor_of_another_lists_ones_own(rig, ask):
    """AZ-2, AZ-9: projects of the caller, collaborators of the path."""
    owner, other = await rig.user(), await rig.user()
    for number in range(2):
        await rig.projects.create_project(owner, f"{CANARY} {number}", "")
    _, page = await ask(owner, "GET", "?limit=1")
    assert page["next_cursor"]
    status, told = await ask(other, "GET", f"?cursor={page['next_cursor']}")
    assert (status, told["items"]) == (200, [])
    theirs, (keeper, _) = await rig.project_with(Role.COLLABORATOR)
    mine, (own,) = await rig.project_with()
    _, page = await ask(keeper, "GET", f"/{theirs}/collaborators?limit=1")
    cursor = page["next_cursor"]
    status, told = await ask(own, "GET", f"/{mine}/collaborators?cursor={cursor}")
    assert status == 200
    assert {one["user_id"] for one in told["items"]} <= {own}
    status, told = await ask(own, "GET", f"/{theirs}/collaborators?cursor={cursor}")
    assert (status, told["code"]) == (404, "project_not_found")


async def test_az_5_a_change_asks_for_the_role_of_now(rig, ask):
    """AZ-5: who was an admin yesterday changes nothing, and who left sees nothing."""
    place, (owner, other) = await rig.project_with(Role.ADMIN)
    assert (await ask(other, "PATCH", f"/{place}", {"name": "A"}))[0] == 200
    change = {"role": "collaborator"}
    await ask(owner, "PATCH", f"/{place}/collaborators/{other}", change)
    status, told = await ask(other, "PATCH", f"/{place}", {"name": "B"})
    assert (status, told["code"]) == (403, "project_not_permitted")
    status, told = await ask(other, "PATCH", f"/{place}", {"description": "B"})
    assert (status, told["code"]) == (403, "project_not_permitted")
    await ask(owner, "DELETE", f"/{place}/collaborators/{other}")
    assert (await ask(other, "PATCH", f"/{place}", {"name": "C"}))[0] == 404


async def test_az_6_an_archived_project_takes_nothing_and_a_deleted_one_is_gone(
    rig, ask
):
    """AZ-6: no name, no text, nobody new, no new role; then no project at all."""
    place, (owner, other) = await rig.project_with(Role.COLLABORATOR)
    newcomer = await rig.user()
    await ask(owner, "POST", f"/{place}/archive", {"is_archived": True})
    changes = [
        ("PATCH", f"/{place}", {"name": "B"}),
        ("PATCH", f"/{place}", {"description": "B"}),
        ("POST", f"/{place}/collaborators", {"user_id": newcomer, "role": "admin"}),
        ("PATCH", f"/{place}/collaborators/{other}", {"role": "admin"}),
    ]
    for change in changes:
        status, told = await ask(owner, *change)
        assert (status, told["code"]) == (409, "project_archived"), change
    await ask(owner, "DELETE", f"/{place}")
    for change in changes:
        status, told = await ask(owner, *change)
        assert (status, told["code"]) == (404, "project_not_found"), change
