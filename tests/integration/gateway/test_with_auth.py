"""The gateway with the real auth, project and notification behind it."""

import asyncio
import json
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pyotp
import pytest
from redis.asyncio import Redis

from libs.kernel import new_id
from scripts.demo.client import ApiError, Person
from scripts.demo.house import House

pytestmark = pytest.mark.integration
METHODS = {"get", "post", "put", "patch", "delete"}
DESCRIPTION = Path("services/gateway/openapi.json")
NEEDED = ("auth", "project", "notification", "gateway")


@dataclass
class Door:
    """The gateway's own listener; the edge is tested elsewhere."""

    url: str
    house: House

    async def person(self) -> Person:
        """Return somebody who registered, verified by mail and signed in."""
        name, password = f"p{secrets.token_hex(6)}", secrets.token_urlsafe(16)
        person = Person(self.url, f"{name}@example.org", password, name)
        await person.register()
        token = await self.house.verification_token(person.email)
        await person.verify(token)
        await person.sign_in()
        return person


@pytest.fixture(scope="session")
def door(stack) -> Door:
    """The gateway before the real services."""
    for program in NEEDED:
        stack.start(program)
    house = House(
        stack.edge_url, stack.stack.url("smtp_view"), stack.stack.url("fcm_control")
    )
    return Door(stack.stack.url("gateway"), house)


@pytest.fixture
async def ann(door):
    """A person of this test."""
    async with await door.person() as person:
        yield person


async def _answer(person: Person, method: str, path: str) -> tuple[int, str | None]:
    """Return status and code; (200, None) for success."""
    try:
        await person.call(method, path)
    except ApiError as error:
        return error.status, error.code
    return 200, None


async def test_a_user_signs_in_and_works(ann) -> None:
    """Register, verify by mail, sign in, open a project: all through the gateway."""
    me = await ann.call("GET", "me")
    assert me["user_id"] == ann.user_id
    project = await ann.call("POST", "projects", {"name": "Apollo"})
    page = await ann.call("GET", "projects")
    assert [p["project_id"] for p in page["items"]] == [project["project_id"]]


async def test_a_stranger_sees_nothing(ann, door) -> None:
    """Another user's project is 404, without a token it is 401."""
    project = await ann.call("POST", "projects", {"name": "Apollo"})
    path = f"projects/{project['project_id']}"
    async with await door.person() as bob:
        assert await _answer(bob, "GET", path) == (404, "project_not_found")
        bob.access_token = ""
        assert await _answer(bob, "GET", path) == (401, "token_missing")


async def test_sr_1_a_refreshed_token_works_and_logout_ends_both_within_a_second(
    ann,
) -> None:
    """SR-1 over REST, with the real announcement of auth."""
    old = ann.access_token
    await ann.refresh()
    assert ann.access_token != old
    await ann.call("GET", "me")
    await ann.call("POST", "auth/logout")
    started = time.monotonic()
    for token in (old, ann.access_token):
        ann.access_token = token
        while (answer := await _answer(ann, "GET", "me")) == (200, None):
            assert time.monotonic() - started < 1
            await asyncio.sleep(0.02)
        assert answer == (401, "session_revoked")


async def test_sr_4_no_revoked_session_is_accepted_whatever_happens_to_redis(
    ann, stack
) -> None:
    """SR-4: killed, away and emptied: what has ended stays ended."""
    await ann.call("POST", "auth/logout")
    async with asyncio.timeout(15):
        while await _answer(ann, "GET", "me") == (200, None):  # noqa: ASYNC110 - the gateway's
            await asyncio.sleep(0.02)
    await asyncio.to_thread(stack.kill, "valkey")
    answers = {await _answer(ann, "GET", "me") for _ in range(20)}
    await stack.until_ready("valkey")
    answers |= {await _answer(ann, "GET", "me") for _ in range(20)}
    async with Redis.from_url(stack.admin_redis_url) as redis:
        await redis.flushall()
    answers |= {await _answer(ann, "GET", "me") for _ in range(20)}
    assert (401, "session_revoked") in answers
    assert {status for status, _ in answers} <= {401, 503}


async def test_internal_routes_of_auth_are_not_reachable(ann) -> None:
    """Neither with a user's token nor by another spelling of the path."""
    for path in ("../../internal/sessions", "auth/../../../internal/sessions"):
        async with (
            aiohttp.ClientSession() as http,
            http.get(
                aiohttp.client.URL(f"{ann.edge_url}/api/v1/{path}", encoded=True),
                headers={"Authorization": f"Bearer {ann.access_token}"},
            ) as response,
        ):
            assert response.status in (400, 404)


async def test_a_personal_token_works_within_its_scopes_and_dies_within_a_second(
    ann, door
) -> None:
    """SR-1, SR-6: asked about, cached, restricted, and gone once it is revoked."""
    wish = {"name": "bot", "scopes": ["projects:read", "profile:read"]}
    made = await ann.call("POST", "me/tokens", wish)
    session = ann.access_token
    ann.access_token = made["token"]
    assert await _answer(ann, "GET", "projects") == (200, None)
    assert (await ann.call("GET", "me"))["user_id"] == ann.user_id
    for method, path in (
        ("POST", "projects"),
        ("PATCH", "me"),
        ("GET", "me/tokens"),
        ("GET", "me/mfa"),
        ("POST", "me/mfa/totp"),
        ("GET", "notifications"),
    ):
        assert await _answer(ann, method, path) == (403, "insufficient_scope")
    ann.access_token = session
    await ann.call("DELETE", f"me/tokens/{made['token_id']}")
    ann.access_token = made["token"]
    limit = time.monotonic() + 1
    while (await _answer(ann, "GET", "projects"))[0] == 200:
        assert time.monotonic() < limit
        await asyncio.sleep(0.02)
    assert (await _answer(ann, "GET", "projects"))[0] == 401
    ann.access_token = "parley_pat_" + "x" * 43
    assert await _answer(ann, "GET", "projects") == (401, "token_invalid")


async def test_a_bots_socket_token_is_restricted_over_rest_too(ann) -> None:
    """The short token of an exchange opens no more than the personal one."""
    scopes = ["conversations:read", "conversations:write"]
    made = await ann.call("POST", "me/tokens", {"name": "bot", "scopes": scopes})
    short = await ann.call("POST", "auth/token", {"token": made["token"]})
    ann.access_token = short["access_token"]
    assert await _answer(ann, "GET", "projects") == (403, "insufficient_scope")
    assert await _answer(ann, "GET", "me/sessions") == (403, "insufficient_scope")


async def test_az_1_a_sign_in_that_waits_opens_nothing_but_its_own_routes(
    ann, door
) -> None:
    """AZ-1, MF-3: the caller ``pre_mfa`` at every operation that asks for a token."""
    offer = await ann.call("POST", "me/mfa/totp")
    code = pyotp.TOTP(offer["setup_key"]).now()
    await ann.call("POST", "me/mfa/totp/confirm", {"code": code})
    body = {"email": ann.email, "password": ann.password}
    told = await ann.call("POST", "auth/login", body)
    assert told["mfa_required"]
    pending = told["pending_token"]
    document = json.loads(await asyncio.to_thread(DESCRIPTION.read_text))
    wrong = {}
    asked = 0
    async with aiohttp.ClientSession(door.url) as http:
        for path, methods in document["paths"].items():
            filled = re.sub(r"\{[a-z_]+\}", new_id(), path)
            for method in METHODS & set(methods):
                security = methods[method].get("security") or [{}]
                if {} in security:  # a token is not asked for
                    continue
                asked += 1
                headers = {"Authorization": f"Bearer {pending}"}
                async with http.request(method, filled, headers=headers) as answer:
                    problem = await answer.json(content_type=None)
                    if (answer.status, problem["code"]) != (401, "token_invalid"):
                        wrong[method, path] = (answer.status, problem)
    assert wrong == {}
    assert asked > 100
    guess = {"pending_token": pending, "totp_code": "000000"}
    with pytest.raises(ApiError) as refused:
        await ann.call("POST", "auth/mfa/verify", guess)
    assert refused.value.code == "second_factor_invalid"
