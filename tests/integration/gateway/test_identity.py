"""Tokens: what is refused, and how fast an ended session is."""

import asyncio
import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from libs.chassis.mongo import open_mongo
from libs.chassis.redis import open_redis
from libs.chassis.sessions import CHANNEL
from libs.chassis.settings import load_settings
from libs.crypto import SigningKey
from libs.events import BusSettings
from libs.events.catalog import SessionRevoked
from libs.events.rabbitmq import open_bus
from libs.kernel import new_id
from services.auth.settings import AuthSettings

pytestmark = pytest.mark.integration
PATH = "/api/v1/conversations/echo"


def _encode(document: object) -> str:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _forged(tokens, header: dict[str, object]) -> str:
    """Return a good token's claims and signature under another header."""
    _, claims, signature = tokens.access().split(".")
    return f"{_encode(header)}.{claims}.{signature}"


def _with_public_key_as_secret(tokens) -> str:
    """Sign with HMAC and the public key as secret: the classic confusion."""
    public = tokens.key.private_key.public_key()
    raw = public.public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    claims = jwt.decode(tokens.access(), options={"verify_signature": False})
    headers = {"typ": "at+jwt", "kid": tokens.key.kid}
    return jwt.encode(claims, raw * 2, "HS256", headers=headers)


GOOD_HEADER = {"alg": "EdDSA", "typ": "at+jwt", "kid": "test-key"}
NOW = int(time.time())
FORGERIES = {
    "no words": lambda _: "nonsense",
    "three dots": lambda _: "a.b.c",
    "alg none": lambda tokens: _forged(tokens, GOOD_HEADER | {"alg": "none"}),
    "alg None": lambda tokens: _forged(tokens, GOOD_HEADER | {"alg": "None"}),
    "alg nOnE, unsigned": lambda tokens: (
        f"{_encode(GOOD_HEADER | {'alg': 'nOnE'})}.{tokens.access().split('.')[1]}."
    ),
    "no alg": lambda tokens: _forged(tokens, {"typ": "at+jwt", "kid": "test-key"}),
    "alg HS256": _with_public_key_as_secret,
    "alg RS256": lambda tokens: _forged(tokens, GOOD_HEADER | {"alg": "RS256"}),
    "alg ES256": lambda tokens: _forged(tokens, GOOD_HEADER | {"alg": "ES256"}),
    "jwk": lambda tokens: _forged(
        tokens, GOOD_HEADER | {"jwk": tokens.key.public_jwk()}
    ),
    "jku": lambda tokens: _forged(tokens, GOOD_HEADER | {"jku": "http://x.test"}),
    "x5u": lambda tokens: _forged(tokens, GOOD_HEADER | {"x5u": "http://x.test"}),
    "crit": lambda tokens: _forged(tokens, GOOD_HEADER | {"crit": ["b64"]}),
    "b64 false": lambda tokens: _forged(tokens, GOOD_HEADER | {"b64": False}),
    "unknown kid": lambda tokens: _forged(tokens, GOOD_HEADER | {"kid": "other"}),
    "path in kid": lambda tokens: _forged(tokens, GOOD_HEADER | {"kid": "../x"}),
    "operator in kid": lambda tokens: _forged(
        tokens, GOOD_HEADER | {"kid": {"$gt": ""}}
    ),
    "other key": lambda tokens: tokens.access(key=SigningKey.generate("test-key")),
    "typ JWT": lambda tokens: tokens.access(typ="JWT"),
    "internal token": lambda tokens: tokens.access(typ="internal+jwt"),
    "wrong iss": lambda tokens: tokens.access(iss="http://evil.test"),
    "wrong aud": lambda tokens: tokens.access(aud="chat"),
    "aud list": lambda tokens: tokens.access(aud=["parley", "chat"]),
    "no aud": lambda tokens: tokens.access(aud=None),
    "no iss": lambda tokens: tokens.access(iss=None),
    "no sub": lambda tokens: tokens.access(sub=None),
    "no sid": lambda tokens: tokens.access(sid=None),
    "no jti": lambda tokens: tokens.access(jti=None),
    "no exp": lambda tokens: tokens.access(exp=None),
    "no iat": lambda tokens: tokens.access(iat=None),
    "exp text": lambda tokens: tokens.access(exp="soon"),
    "future": lambda tokens: tokens.access(
        iat=int(time.time()) + 600, exp=int(time.time()) + 900
    ),
    "cut signature": lambda tokens: tokens.access()[:-8],
    "cut claims": lambda tokens: tokens.access().replace(".", ".A", 1),
    "huge": lambda tokens: tokens.access(extra="x" * 20_000),
    "operator in sub": lambda tokens: tokens.access(sub={"$ne": None}),
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_token_is_refused(gateway, name) -> None:
    """JW-1, JW-2: 401 token_invalid, and nothing reaches the service."""
    before = (await gateway.counts()).get("requests", 0)
    headers = {"Authorization": f"Bearer {FORGERIES[name](gateway.tokens)}"}
    status, sent, body = await gateway.ask("GET", PATH, headers=headers)
    assert (status, json.loads(body)["code"]) == (401, "token_invalid")
    assert sent["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert (await gateway.counts()).get("requests", 0) == before


async def test_an_expired_token_says_so(gateway) -> None:
    """JW-3: the client learns that a refresh helps; 30 s of leeway."""
    late = gateway.tokens.access(iat=NOW - 400, exp=NOW - 60)
    status, code = await gateway.problem(
        "GET", PATH, headers={"Authorization": f"Bearer {late}"}
    )
    assert (status, code) == (401, "token_expired")
    now = int(time.time())
    just = gateway.tokens.access(iat=now - 310, exp=now - 10)
    status, _, _ = await gateway.ask(
        "GET", PATH, headers={"Authorization": f"Bearer {just}"}
    )
    assert status == 200


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "token_invalid"),
        ("Bearer", "token_invalid"),
        ("Basic YTpi", "token_invalid"),
        ("Token x", "token_invalid"),
    ],
)
async def test_other_schemes_are_refused(gateway, header, code) -> None:
    """RFC 6750 knows Bearer alone."""
    status, got = await gateway.problem("GET", PATH, headers={"Authorization": header})
    assert (status, got) == (401, code)


async def test_no_token_says_so(gateway) -> None:
    """token_missing; a token in the query does not count."""
    url = f"{gateway.url}{PATH}?access_token={gateway.tokens.access()}"
    async with gateway.http.get(url) as response:
        assert response.status == 401
        assert (await response.json())["code"] == "token_missing"
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_random_key_ids_do_not_reach_auth(gateway) -> None:
    """JW-4: unknown kids are looked up at most once in 30 s."""
    await gateway.ask("GET", PATH)
    before = (await gateway.counts()).get("jwks", 0)
    for number in range(50):
        token = gateway.tokens.access(key=SigningKey.generate(f"k{number}"))
        status, _ = await gateway.problem(
            "GET", PATH, headers={"Authorization": f"Bearer {token}"}
        )
        assert status == 401
    assert (await gateway.counts()).get("jwks", 0) - before <= 2


async def _seconds_until_refused(gateway, headers) -> float:
    started = time.monotonic()
    async with asyncio.timeout(8):
        while True:
            status, _, body = await gateway.ask("GET", PATH, headers=headers)
            if status == 401:
                assert json.loads(body)["code"] == "session_revoked"
                return time.monotonic() - started
            await asyncio.sleep(0.02)


async def _session(gateway) -> tuple[str, str, dict[str, str]]:
    """Return a user, a session and headers that have worked already."""
    user, session = new_id(), new_id()
    token = gateway.tokens.access(sub=user, sid=session)
    headers = {"Authorization": f"Bearer {token}"}
    status, _, _ = await gateway.ask("GET", PATH, headers=headers)
    assert status == 200
    return user, session, headers


@pytest.fixture
def auth_settings(stack, monkeypatch) -> AuthSettings:
    """The accounts of auth, which says that sessions end."""
    for name, value in stack.service_environment("auth").items():
        monkeypatch.setenv(name, str(value))
    return load_settings(AuthSettings)


async def test_the_redis_channel_ends_a_session_within_a_second(
    gateway, auth_settings
) -> None:
    """SR-1, first of three ways."""
    user, session, headers = await _session(gateway)
    async with open_redis(auth_settings) as redis:
        message = json.dumps({"session_id": session, "user_id": user})
        await redis.publish(CHANNEL, message)
    assert await _seconds_until_refused(gateway, headers) < 1


async def test_the_live_event_ends_a_session_within_a_second(
    gateway, auth_settings
) -> None:
    """SR-1, second of three ways."""
    user, session, headers = await _session(gateway)
    settings = BusSettings("auth", "test-2", auth_settings.amqp_url.get_secret_value())
    async with (
        open_mongo(auth_settings) as database,
        open_bus(settings, database) as bus,
    ):
        async with bus.transaction() as tx:
            tx.publish(
                SessionRevoked(user_id=user, session_id=session, reason="revoked")
            )
        assert await _seconds_until_refused(gateway, headers) < 1


async def test_the_poll_ends_a_session_within_six_seconds(gateway) -> None:
    """SR-1, third of three ways: with Redis and the broker silent."""
    user, session, headers = await _session(gateway)
    async with gateway.http.post(
        f"{gateway.upstream_url}/_revoke",
        json={"session_id": session, "user_id": user},
    ):
        pass
    assert await _seconds_until_refused(gateway, headers) < 6.5
