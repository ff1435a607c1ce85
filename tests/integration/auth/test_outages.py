"""What goes on while a server is away."""

import aiohttp
import pytest

from tests.integration.auth.conftest import PASSWORD, Client, running_auth

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def auth_without_redis(stack, tmp_path_factory):
    """A process whose Redis does not answer."""
    folder = tmp_path_factory.mktemp("auth-without-redis")
    with running_auth(stack, folder, AUTH_REDIS_URL="redis://127.0.0.1:1/0") as process:
        yield process


@pytest.fixture
async def lonely(auth_without_redis):
    """A client of that process."""
    async with aiohttp.ClientSession() as http:
        yield Client(auth_without_redis, http)


async def test_sign_in_is_closed_and_refresh_open_without_redis(client, ann, lonely):
    """faults.md: login fails closed with 503; who is signed in stays so."""
    tokens, who = await client.login(ann)
    body = {"email": ann, "password": PASSWORD}
    status, answer, response = await lonely.post("login", body)
    assert (status, answer["code"]) == (503, "sign_in_unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    status, _, _ = await lonely.post(
        "refresh", {"refresh_token": tokens["refresh_token"]}
    )
    assert status == 200
    status, _, _ = await lonely.call("GET", "/api/v1/me", principal=who)
    assert status == 200
    status, _, _ = await lonely.post("logout", None, principal=who)
    assert status == 204


async def test_loss_of_redis_degrades_but_stays_ready(lonely):
    """Readiness stays, so that refresh and keys are still served."""
    async with lonely.http.get(f"{lonely.process.url}/health") as response:
        report = await response.json()
    assert report["status"] == "degraded"
    assert report["checks"]["redis"]["status"] == "failed"
    async with lonely.http.get(f"{lonely.process.url}/health/ready") as response:
        assert response.status == 200


async def test_session_revoked_in_one_process_is_refused_in_another(
    client, lonely, ann
):
    """SR-4: the database decides, not a cache of one process."""
    tokens, who = await client.login(ann)
    status, _, _ = await lonely.post("logout", None, principal=who)
    assert status == 204
    status, _, _ = await client.post(
        "refresh", {"refresh_token": tokens["refresh_token"]}
    )
    assert status == 401
