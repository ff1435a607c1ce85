"""Rate limits on a real Redis: one script, the server's clock."""

import asyncio
import json
import os
import signal
import time

import aiohttp
import pytest
from redis.asyncio import Redis

from libs.chassis.buckets import RedisBuckets
from libs.chassis.redis import open_redis
from libs.chassis.settings import load_settings
from libs.kernel import new_id
from libs.kernel.rates import Charge, Limit
from services.gateway.cache import open_buckets
from services.gateway.settings import GatewaySettings
from tests.support.firing import Watched, assert_fires, look_at

pytestmark = pytest.mark.integration


@pytest.fixture
async def redis(stack, monkeypatch):
    """The gateway's own account, which may touch the gateway's keys alone."""
    for name, value in stack.service_environment("gateway").items():
        monkeypatch.setenv(name, str(value))
    async with open_redis(load_settings(GatewaySettings)) as opened:
        yield opened


async def test_several_gateways_share_one_limit(redis) -> None:
    """RL-1: accepted <= burst + rate * t + 1 over three callers at once."""
    limit, subject = Limit(rate_per_second=50, burst=20), f"test:address:{new_id()}"
    buckets = [open_buckets(redis) for _ in range(3)]
    accepted = 0
    started = time.monotonic()

    async def hammer(gateway: RedisBuckets) -> None:
        nonlocal accepted
        while time.monotonic() - started < 1.0:
            decision = await gateway.charge([Charge(subject, limit)])
            accepted += decision.is_allowed
            await asyncio.sleep(0)

    await asyncio.gather(*(hammer(b) for b in buckets for _ in range(5)))
    seconds = time.monotonic() - started
    assert 20 <= accepted <= 20 + 50 * seconds + 1


async def test_waiting_as_told_succeeds_and_keys_vanish(redis) -> None:
    """RL-3; a key lives no longer than it matters."""
    limit, subject = Limit(rate_per_second=1, burst=1), f"test:user:{new_id()}"
    charges = [Charge(subject, limit)]
    assert (await open_buckets(redis).charge(charges)).is_allowed
    refused = await open_buckets(redis).charge(charges)
    assert 0 < refused.retry_after_seconds <= 1
    await asyncio.sleep(refused.retry_after_seconds)
    assert (await open_buckets(redis).charge(charges)).is_allowed
    key = f"gateway:limit:{subject}"
    assert await redis.pttl(key) <= 1_100
    async with asyncio.timeout(10):
        while await redis.exists(key):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_refusal_charges_no_limit(redis) -> None:
    """All or none, in the script too."""
    wide = Charge(f"test:address:{new_id()}", Limit(0.1, 3))
    strict = Charge(f"test:user:{new_id()}", Limit(0.1, 1))
    buckets = open_buckets(redis)
    assert (await buckets.charge([wide, strict])).is_allowed
    for _ in range(5):
        assert (await buckets.charge([wide, strict])).subject == strict.subject
    assert (await buckets.charge([wide])).is_allowed
    assert (await buckets.charge([wide])).is_allowed
    assert not (await buckets.charge([wide])).is_allowed


async def test_requests_that_come_together_are_decided_one_by_one(redis) -> None:
    """RL-1: what shares a call shares nothing else."""
    shared, own = f"test:address:{new_id()}", f"test:user:{new_id()}"
    wide, narrow = Charge(shared, Limit(0.1, 60)), Charge(own, Limit(0.1, 2))
    asked = [[wide, narrow]] * 10 + [[wide]] * 80
    buckets = open_buckets(redis)
    answers = await asyncio.gather(*(buckets.charge(charges) for charges in asked))
    both, alone = answers[:10], answers[10:]
    assert sum(answer.is_allowed for answer in both) == 2
    assert sum(answer.is_allowed for answer in alone) == 58
    assert {answer.subject for answer in both if not answer.is_allowed} == {own}
    assert min(answer.remaining for answer in alone) == 0


async def test_who_gives_up_waiting_takes_nobody_along(redis) -> None:
    """A request that is cancelled in the middle of a shared call."""
    charges = [Charge(f"test:user:{new_id()}", Limit(0.1, 50))]
    buckets = open_buckets(redis)
    waiting = [asyncio.create_task(buckets.charge(charges)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(getattr(answer, "is_allowed", False) for answer in done) == 10
    assert (await buckets.charge(charges)).is_allowed


async def test_a_lost_connection_or_script_is_not_noticed(stack, redis) -> None:
    """Redis was restarted since the last call: the next one is charged all the same."""
    charges = [Charge(f"test:user:{new_id()}", Limit(0.1, 9))]
    buckets = open_buckets(redis)
    assert (await buckets.charge(charges)).remaining == 8
    async with Redis.from_url(stack.admin_redis_url) as admin:
        for client in await admin.client_list():
            if client["user"] == "gateway" and client["cmd"].startswith("eval"):
                await admin.client_kill_filter(_id=client["id"])
        assert (await buckets.charge(charges)).remaining == 7
        await admin.script_flush()
    assert (await buckets.charge(charges)).remaining == 6


async def test_a_user_is_slowed_down_and_told_how_long(strict_gateway) -> None:
    """RL-2, RL-3: 429 with Retry-After; another user of the address goes on."""
    token = strict_gateway.tokens.access()
    headers = {
        "Authorization": f"Bearer {token}",
        "X-Forwarded-For": "192.0.2.10",
    }
    path = "/api/v1/conversations/echo"
    answers = [await strict_gateway.ask("GET", path, headers=headers) for _ in range(5)]
    statuses = [status for status, _, _ in answers]
    assert statuses[:3] == [200, 200, 200]
    assert 429 in statuses
    _, sent, body = next(answer for answer in answers if answer[0] == 429)
    problem = json.loads(body)
    assert (problem["code"], problem["limit"]) == ("rate_limited", "user")
    assert sent["Retry-After"] == "1"
    assert sent["RateLimit-Policy"] == '"user";q=3;w=1'
    assert sent["RateLimit"].startswith('"user";r=0;t=')
    assert answers[0][1]["RateLimit"].startswith('"user";r=2;t=')
    status, _, _ = await strict_gateway.ask(
        "GET", path, headers={"X-Forwarded-For": "192.0.2.10"}
    )
    assert status == 200


async def test_three_gateways_hold_a_thousand_clients_to_one_limit(strict_urls) -> None:
    """RL-1: accepted <= burst + rate * t + 1 in any window; RL-3: waiting helps."""
    rate, burst, clients = 20, 10, 1_000
    headers = {"X-Forwarded-For": "192.0.2.77"}
    accepted: list[tuple[float, float]] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

        async def ask(url: str) -> int:
            asked_at = time.monotonic()
            async with http.get(f"{url}/api/v1/media/open/echo") as response:
                await response.read()
            if response.status == 200:
                accepted.append((asked_at, time.monotonic()))
                return 0
            assert response.status == 429
            return int(response.headers["Retry-After"])

        async def come_again(url: str, until: float) -> int:
            wait = 0
            while time.monotonic() < until:
                wait = await ask(url)
                await asyncio.sleep(0.5)
            return wait

        until = time.monotonic() + 3
        waits = await asyncio.gather(
            *(come_again(strict_urls[n % 3], until) for n in range(clients))
        )
        await asyncio.sleep(max(waits))
        assert await ask(strict_urls[0]) == 0
    # What was asked after `start` and answered before `end` was charged in between.
    assert len(accepted) > burst
    for start in {asked_at for asked_at, _ in accepted}:
        ends = sorted(end for asked_at, end in accepted if asked_at >= start)
        for count, end in enumerate(ends, 1):
            assert count <= burst + rate * (end - start) + 1


async def test_sign_in_is_slowed_down_by_address(strict_gateway) -> None:
    """LT-4: what a client says of its address changes nothing but the edge's word."""
    statuses = []
    for number in range(4):
        status, _, _ = await strict_gateway.ask(
            "POST",
            "/api/v1/auth/login",
            json={},
            headers={"X-Forwarded-For": f"6.6.6.{number}, 192.0.2.20"},
        )
        statuses.append(status)
    assert statuses == [200, 200, 429, 429]
    status, _, _ = await strict_gateway.ask(
        "POST", "/api/v1/auth/login", json={}, headers={"X-Forwarded-For": "192.0.2.21"}
    )
    assert status == 200


async def test_rl_4_without_redis_gateways_share_a_limit(stack, strict_urls) -> None:
    """RL-4: each counts its part, switches in time, and finds back."""
    burst, rate, path = 10, 20, "/api/v1/media/open/echo"
    async with aiohttp.ClientSession() as http:

        async def ask(url: str, path: str = path, method: str = "GET") -> int:
            headers = {"X-Forwarded-For": "192.0.2.91"}
            async with http.request(method, url + path, headers=headers) as response:
                await response.read()
            return response.status

        async with asyncio.timeout(20):
            for url in strict_urls:
                while await _gateways_seen(http, url) < 3:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        pid = stack.pid("valkey")
        os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            statuses = await asyncio.gather(
                *(ask(url) for url in strict_urls for _ in range(3 * burst))
            )
            seconds = time.monotonic() - started
            assert set(statuses) == {200, 429}
            assert 3 <= statuses.count(200) <= burst + rate * seconds + 3
            for login in ("/api/v1/auth/login", "/api/v1/auth/mfa/verify"):
                assert {await ask(url, login, "POST") for url in strict_urls} == {503}
        finally:
            os.kill(pid, signal.SIGCONT)
        async with asyncio.timeout(15):
            for url in strict_urls:
                while await ask(url, "/api/v1/auth/login", "POST") == 503:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)


async def _gateways_seen(http: aiohttp.ClientSession, url: str) -> float:
    async with http.get(f"{url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(float(x.split()[1]) for x in lines if x.startswith("gateway_replicas "))


async def test_without_redis_reads_go_on_and_sign_in_waits(stack, gateway) -> None:
    """RL-4: a frozen Redis costs one request half a second; login is 503."""
    path = "/api/v1/conversations/echo"
    assert (await gateway.ask("GET", path))[0] == 200
    pid = stack.pid("valkey")
    watched = Watched("gateway", f"{gateway.url}/metrics")
    await look_at(watched)
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        for _ in range(5):
            assert (await gateway.ask("GET", path))[0] == 200
        assert time.monotonic() - started < 2
        status, code = await gateway.problem("POST", "/api/v1/auth/login", json={})
        assert (status, code) == (503, "limits_unavailable")
        await look_at(watched)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert_fires("LimitsUnknown", watched)
    async with asyncio.timeout(15):
        status = 503
        while status == 503:
            status, _, _ = await gateway.ask("POST", "/api/v1/auth/login", json={})
