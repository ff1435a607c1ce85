"""A provider over HTTP that answers badly: every answer is bounded (NO-1, SS-1)."""

import asyncio
import gzip
import time
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.kernel import FrozenClock, SystemClock
from services.auth.clients import HttpProviderClient, Outbound
from services.auth.domain import Provider
from services.auth.domain.errors import (
    ProviderRefusedError,
    ProviderUnavailableError,
)
from tests.support.identity_provider import RSA, jwks, public_jwk

pytestmark = pytest.mark.integration


class BadIdp:
    """Answers what it is told to, and counts."""

    def __init__(self):
        self.url = ""
        self.answers = {}
        self.asked = []
        self.headers = []

    @property
    def description(self):
        """What a good provider says of itself."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/userinfo",
        }

    async def answer(self, request):
        """Answer as told; 404 otherwise."""
        self.asked.append(request.path)
        self.headers.append(dict(request.headers))
        told = self.answers.get(request.path)
        if callable(told):
            return await told(request)
        return web.json_response(told, status=200 if told is not None else 404)


DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
async def idp():
    """A provider whose discovery is good."""
    made = BadIdp()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made.answer)
    async with TestServer(app) as server:
        made.url = str(server.make_url("")).rstrip("/")
        made.answers[DISCOVERY] = made.description
        yield made


@pytest.fixture
async def make(idp):
    """Make clients of the provider; a tenth of the time is enough on loopback."""
    async with Outbound.opened(seconds=0.5) as outbound:

        def made(secret=None, clock=None, **fields):
            provider = Provider(
                provider_id="bad",
                name="Bad",
                issuer=idp.url,
                client_id="par/ley",
                **fields,
            )
            return HttpProviderClient(
                provider, secret, outbound, clock or SystemClock()
            )

        yield made


async def _redeem(client):
    return await client.redeem("code", verifier="v" * 43, redirect_uri="https://x.test")


async def huge(request):
    """Send without end."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        while True:
            await response.write(b" " * 65_536)
    except ConnectionError:
        return response


async def slow(_):
    """Answer after the deadline."""
    await asyncio.sleep(30)
    return web.json_response({})


async def drip(request):
    """Send a byte at a time."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)
    except ConnectionError:
        return response


async def looping(request):
    """Lead to itself."""
    raise web.HTTPFound(request.path)


async def bomb(_):
    """Send much in little."""
    body = gzip.compress(b" " * 50_000_000)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return web.Response(body=body, headers=headers)


async def garbage(_):
    """Send no JSON."""
    return web.Response(body=b"\x00\xff<html>", content_type="application/json")


async def deep(_):
    """Send depth."""
    return web.Response(text="[" * 100_000, content_type="application/json")


async def broken(_):
    """Fail."""
    return web.json_response({}, status=500)


BAD = {
    "huge": huge,
    "redirect loop": looping,
    "gzip bomb": bomb,
    "garbage": garbage,
    "deep": deep,
    "status 500": broken,
    "list": [],
    "text": "no",
    "missing": None,
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("path", [DISCOVERY, "/token", "/userinfo"])
async def test_no_1_bad_answer_is_one_error_soon(idp, make, path, name):
    """NO-1: huge, garbage, deep, broken, redirected: unavailable, and one request."""
    idp.answers[path] = BAD[name]
    started = time.monotonic()
    client = make()
    with pytest.raises(ProviderUnavailableError):
        await (client.userinfo("t") if path == "/userinfo" else _redeem(client))
    assert time.monotonic() - started < 2
    assert idp.asked.count(path) == 1


@pytest.mark.parametrize("behaviour", [slow, drip])
async def test_no_1_slow_answer_ends_in_time(idp, make, behaviour):
    """NO-1: silence, and a byte now and then; others do not wait one by one."""
    idp.answers[DISCOVERY] = behaviour
    client = make()
    started = time.monotonic()
    calls = [client.authorization_address({}) for _ in range(20)]
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(one) for one in found} == {ProviderUnavailableError}
    assert 0.4 < time.monotonic() - started < 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("issuer", "https://idp.evil.test"),
        ("issuer", None),
        ("authorization_endpoint", "https://idp.evil.test/authorize"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("token_endpoint", "http://169.254.169.254/latest"),
        ("token_endpoint", None),
        ("jwks_uri", "file:///etc/passwd"),
        ("jwks_uri", "http://localhost:1/jwks"),
        ("userinfo_endpoint", "http://127.0.0.1:1/admin"),
        ("userinfo_endpoint", 7),
    ],
)
async def test_ss_1_description_leads_nowhere_else(idp, make, field, value):
    """SS-1, OI-1: another issuer, another host, another scheme: nothing is asked."""
    idp.answers[DISCOVERY] = idp.description | {field: value}
    with pytest.raises(ProviderUnavailableError):
        await make().authorization_address({})
    assert idp.asked == [DISCOVERY]


async def test_description_is_kept_and_outlives_its_source(idp, make):
    """One look an hour; while the provider is away what it said stays."""
    clock = FrozenClock()
    client = make(clock=clock)
    for _ in range(3):
        await client.authorization_address({})
    assert idp.asked == [DISCOVERY]
    idp.answers[DISCOVERY] = None
    clock.advance(timedelta(seconds=3601))
    for _ in range(3):
        assert await client.authorization_address({"a": "b"}) == (
            f"{idp.url}/authorize?a=b"
        )
    assert len(idp.asked) == 2


async def test_oi_1_unknown_kids_fetch_keys_once_in_thirty_seconds(idp, make):
    """OI-1, JW-4: 1,000 random kids, one request; a huge set is no set."""
    clock = FrozenClock()
    client = make(clock=clock)
    idp.answers["/jwks"] = jwks()
    for number in range(1_000):
        assert await client.key(f"random-{number}") is None
    assert idp.asked.count("/jwks") == 1
    assert (await client.key("rsa")).algorithm == "RS256"
    other = make(clock=clock)
    key = public_jwk("k", RSA, "RS256")
    idp.answers["/jwks"] = {"keys": [key | {"kid": str(n)} for n in range(5_000)]}
    with pytest.raises(ProviderUnavailableError):
        await other.key("0")
    await client.aclose()


async def test_client_shows_its_secret_as_it_is_configured(idp, make):
    """RFC 6749, section 2.3.1: basic by default, in the form, or none."""
    forms = []

    async def token(request):
        forms.append(dict(await request.post()))
        return web.json_response({"id_token": "i", "access_token": "a"})

    idp.answers["/token"] = token
    tokens = await _redeem(make("s%cret"))
    assert (tokens.id_token, tokens.access_token) == ("i", "a")
    assert idp.headers[-1]["Authorization"] == "Basic cGFyJTJGbGV5OnMlMjVjcmV0"
    assert "client_secret" not in forms[0]
    assert forms[0]["code_verifier"] == "v" * 43
    await _redeem(make("s%cret", token_auth="post"))
    assert forms[1]["client_secret"] == "s%cret"
    assert "Authorization" not in idp.headers[-1]
    await _redeem(make())
    assert forms[2]["client_id"] == "par/ley"
    assert "client_secret" not in forms[2]


@pytest.mark.parametrize("status", [400, 401])
async def test_refused_code_is_told_from_an_outage(idp, make, status):
    """A wrong code is the sign-in's fault, not the provider's."""

    async def refuse(_):
        return web.json_response({"error": "invalid_grant"}, status=status)

    idp.answers["/token"] = refuse
    with pytest.raises(ProviderRefusedError):
        await _redeem(make())


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"id_token": 7},
        {"id_token": None, "access_token": "a"},
        {"id_token": "i", "access_token": ["a"]},
        {"id_token": "i", "access_token": "a\u00e9"},
        {"id_token": "i", "access_token": "a" * 20_000},
    ],
)
async def test_no_1_token_answer_of_the_wrong_shape_is_refused(idp, make, answer):
    """NO-1: schema-checked."""
    idp.answers["/token"] = answer
    with pytest.raises(ProviderUnavailableError):
        await _redeem(make())


async def test_provider_without_userinfo_says_nothing_more(idp, make):
    """The endpoint is optional."""
    idp.answers[DISCOVERY] = {
        name: value
        for name, value in idp.description.items()
        if name != "userinfo_endpoint"
    }
    assert await make().userinfo("t") == {}
    assert idp.asked == [DISCOVERY]
