"""Tokens: what is refused, and how fast an ended session is."""

import asyncio
import json
import os
import signal
import time

import pytest

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
from tests.support.forged_tokens import FORGERIES

pytestmark = pytest.mark.integration
PATH = "/api/v1/conversations/echo"


NOW = int(time.time())


@pytest.mark.parametrize("name", FORGERIES)
async def test_jw_1_forged_token_is_refused(gateway, canary, name) -> None:
    """JW-1, JW-2: 401, nothing reaches the service, nothing is fetched."""
    before = (await gateway.counts()).get("requests", 0)
    forged = FORGERIES[name](gateway.tokens, canary.url)
    headers = {"Authorization": f"Bearer {forged}"}
    status, sent, body = await gateway.ask("GET", PATH, headers=headers)
    assert (status, json.loads(body)["code"]) == (401, "token_invalid")
    assert sent["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert (await gateway.counts()).get("requests", 0) == before
    assert canary.hits == []


async def test_jw_1_canary_would_sing(gateway, canary) -> None:
    """JW-1: who comes to the canary is heard, so its silence means something."""
    async with gateway.http.get(canary.url) as response:
        assert response.status == 200
    assert canary.hits == ["/jwks.json"]
    assert len(FORGERIES) >= 25


async def test_jw_3_token_of_a_clock_ahead_is_taken(gateway) -> None:
    """JW-3: issued 20 s from now is taken; 40 s is among the forgeries."""
    now = int(time.time())
    early = gateway.tokens.access(iat=now + 20, exp=now + 320)
    headers = {"Authorization": f"Bearer {early}"}
    status, _, _ = await gateway.ask("GET", PATH, headers=headers)
    assert status == 200


async def test_jw_3_expired_token_says_so(gateway) -> None:
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


async def test_sessions_end_within_a_second_under_load(gateway, auth_settings) -> None:
    """SR-1: the slowest of fifty, while others keep the gateway busy."""
    sessions = [await _session(gateway) for _ in range(50)]
    is_over = asyncio.Event()

    async def keep_busy() -> None:
        while not is_over.is_set():
            status, _, _ = await gateway.ask("GET", PATH)
            assert status == 200

    async def end(user: str, session: str, headers: dict[str, str]) -> float:
        message = json.dumps({"session_id": session, "user_id": user})
        await redis.publish(CHANNEL, message)
        return await _seconds_until_refused(gateway, headers)

    async with asyncio.TaskGroup() as tasks, open_redis(auth_settings) as redis:
        for _ in range(30):
            tasks.create_task(keep_busy())
        waits = await asyncio.gather(*(end(*session) for session in sessions))
        is_over.set()
    assert max(waits) < 1


async def test_a_frozen_broker_holds_up_nothing(stack, gateway, auth_settings) -> None:
    """F6: requests go on, and sessions end by the other ways."""
    user, session, headers = await _session(gateway)
    pid = stack.pid("rabbitmq")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert (await gateway.ask("GET", PATH))[0] == 200
        async with open_redis(auth_settings) as redis:
            message = json.dumps({"session_id": session, "user_id": user})
            await redis.publish(CHANNEL, message)
        assert await _seconds_until_refused(gateway, headers) < 1
    finally:
        os.kill(pid, signal.SIGCONT)


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
