"""What a client is told when something goes wrong, here or behind."""

import asyncio
import contextlib
import json
import time

import aiohttp
import pytest

from tests.support.firing import Watched, assert_fires, look_at

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/media/slow/hang", 504, "upstream_timeout"),
        ("/api/v1/conversations/close", 502, "upstream_error"),
        ("/api/v1/conversations/garbage", 502, "upstream_error"),
        ("/api/v1/conversations/cut?length=1000", 502, "upstream_error"),
        ("/api/v1/conversations/hugeheader", 502, "upstream_error"),
        ("/api/v1/conversations/html?status=500", 502, "upstream_error"),
        ("/api/v1/conversations/html?status=503", 502, "upstream_error"),
        ("/api/v1/conversations/fakeproblem", 502, "upstream_error"),
        ("/api/v1/conversations/problem?status=500", 500, "made_up"),
        ("/api/v1/conversations/problem?status=503", 503, "made_up"),
        ("/api/v1/conversations/problem?status=409", 409, "made_up"),
        ("/api/v1/conversations/problem?status=401", 401, "made_up"),
        (
            "/api/v1/conversations/problem?status=401&code=internal_token_invalid",
            502,
            "upstream_error",
        ),
        ("/api/v1/conversations/problem?status=404", 404, "made_up"),
        ("/api/v1/none", 404, "route_not_found"),
        ("/internal/sessions", 404, "route_not_found"),
        ("/metrics/x", 404, "route_not_found"),
        ("/", 400, "path_invalid"),
        ("/api/v1/conversations/", 400, "path_invalid"),
        ("/api/v1/conversations//echo", 400, "path_invalid"),
        ("/api/v1/conversations/%2e%2e/echo", 400, "path_invalid"),
        ("/api/v1/conversations/..%2f..%2finternal", 400, "path_invalid"),
        ("/api/v1/conversations/%00", 400, "path_invalid"),
        ("/api/v1/conversations/%ff", 400, "path_invalid"),
    ],
)
async def test_every_failure_has_one_shape(gateway, path, status, code) -> None:
    """Status and code of our own, and no word of the service's text."""
    url = aiohttp.client.URL(gateway.url + path, encoded=True)
    headers = {"Authorization": f"Bearer {gateway.tokens.access()}"}
    async with gateway.http.get(url, headers=headers) as response:
        body = await response.json()
        assert (response.status, body["code"]) == (status, code)
        assert response.content_type == "application/problem+json"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Request-Id"]
    assert "secret" not in json.dumps(body)


async def test_services_out_of_reach_are_alerted(gateway) -> None:
    """Requests that reach nobody are what the alerts of the gateway count."""
    watched = Watched("gateway", f"{gateway.url}/metrics")
    await look_at(watched)
    for _ in range(2):
        path = "/api/v1/conversations/close"
        assert (await gateway.problem("GET", path))[1] == "upstream_error"
    await look_at(watched)
    assert_fires("UpstreamUnavailable", watched)
    assert_fires("ServiceErrors", watched)


async def test_a_problem_keeps_its_retry_after(gateway) -> None:
    """What a service of ours says about waiting passes."""
    path = "/api/v1/conversations/problem?status=503"
    _, headers, _ = await gateway.ask("GET", path)
    assert headers["Retry-After"] == "7"


async def test_a_hanging_service_costs_its_timeout_and_no_more(gateway) -> None:
    """HT-3: 504 in time, and the service sees the request cancelled."""
    before = (await gateway.counts()).get("hang_cancelled", 0)
    started = time.monotonic()
    status, code = await gateway.problem("GET", "/api/v1/media/slow/hang")
    assert (status, code) == (504, "upstream_timeout")
    assert 0.9 < time.monotonic() - started < 2.5
    async with asyncio.timeout(2):
        await gateway.counted("hang_cancelled", before + 1)


async def test_an_answer_that_stops_is_broken_off(gateway) -> None:
    """Too late for an error: the client sees an incomplete answer, not a whole one."""
    with pytest.raises(aiohttp.ClientPayloadError):
        await gateway.ask("GET", "/api/v1/media/slow/trickle")
    with pytest.raises(aiohttp.ClientPayloadError):
        await gateway.ask("GET", "/api/v1/conversations/cut?length=100000")


async def test_ht_3_an_answer_that_drips_is_ended(gateway) -> None:
    """HT-3: single bytes do not prolong the time of the whole; the service hears it."""
    before = (await gateway.counts()).get("drip_cancelled", 0)
    async with asyncio.timeout(10):
        with pytest.raises(aiohttp.ClientPayloadError):
            await gateway.ask("GET", "/api/v1/media/slow/drip")
        await gateway.counted("drip_cancelled", before + 1)


async def test_a_service_that_is_away_is_503_at_once(gateway_away) -> None:
    """Refused connections: 503 with Retry-After, within a moment."""
    started = time.monotonic()
    status, headers, body = await gateway_away.ask("GET", "/api/v1/projects")
    assert (status, json.loads(body)["code"]) == (503, "upstream_unavailable")
    assert headers["Retry-After"] == "1"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/api/v1/projects", "DELETE, GET, PATCH, POST"),
        ("GET", "/api/v1/auth/login", "POST"),
        ("OPTIONS", "/api/v1/users", "GET"),
        ("TRACE", "/api/v1/users", "GET"),
        ("DELETE", "/api/v1/notifications/7", "GET, POST"),
    ],
)
async def test_a_wrong_method_names_the_right_ones(
    gateway, method, path, allow
) -> None:
    """405 with Allow (RFC 9110, section 15.5.6)."""
    status, headers, body = await gateway.ask(method, path)
    assert (status, json.loads(body)["code"]) == (405, "method_not_allowed")
    assert headers["Allow"] == allow


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(gateway) -> None:
    """HT-1: a declared gigabyte is 413 without a byte of it."""
    headers = {
        "Authorization": f"Bearer {gateway.tokens.access()}",
        "Content-Length": "1000000000",
    }
    head = _head("POST", "/api/v1/projects", headers)
    answer = await _raw(gateway.port, [head], seconds=5)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"body_too_large"' in answer


async def test_a_chunked_body_is_refused_when_it_gets_too_large(gateway) -> None:
    """HT-1: without a length the bytes are counted as they come."""

    async def endless():
        for _ in range(1_000):
            yield b"x" * 65_536

    before = gateway.rss()
    try:
        status, code = await gateway.problem("POST", "/api/v1/projects", data=endless())
        assert (status, code) == (413, "body_too_large")
    except aiohttp.ClientError:
        pass  # the connection was closed while the client still wrote
    assert gateway.rss() - before < 20_000_000


SMUGGLED = b"GET /api/v1/conversations/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
AMBIGUOUS = {
    "length and coding": (
        {"Content-Length": "5", "Transfer-Encoding": "chunked"},
        b"0\r\n\r\n" + SMUGGLED,
    ),
    "two lengths": (
        {"Content-Length": "0", "content-length": str(len(SMUGGLED))},
        SMUGGLED,
    ),
    "unknown coding": ({"Transfer-Encoding": "gzip, chunked"}, b"0\r\n\r\n"),
    "coding twice": (
        {"Transfer-Encoding": "chunked", "transfer-encoding": "identity"},
        b"0\r\n\r\n" + SMUGGLED,
    ),
    "length with sign": ({"Content-Length": "+5"}, b"hello"),
    "chunk size garbage": ({"Transfer-Encoding": "chunked"}, b"zz\r\nxx\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_a_request_with_two_ends_is_none(gateway, name) -> None:
    """HT-4, even without nginx in front: no second request reaches the service."""
    fields, body = AMBIGUOUS[name]
    headers = {"Authorization": f"Bearer {gateway.tokens.access()}"} | fields
    before = (await gateway.counts()).get("smuggled", 0)
    head = _head("POST", "/api/v1/conversations/echo", headers)
    answer = await _raw(gateway.port, [head, body], seconds=6)
    assert not answer.startswith(b"HTTP/1.1 5"), answer[:200]
    assert (await gateway.counts()).get("smuggled", 0) == before


@pytest.mark.parametrize("kind", ["sized", "chunked", "large"])
async def test_a_body_that_drips_is_ended(gateway, kind) -> None:
    """HT-2: one deadline for the whole body; single bytes do not move it."""
    headers = {"Authorization": f"Bearer {gateway.tokens.access()}"}
    if kind == "chunked":
        headers["Transfer-Encoding"] = "chunked"
        drip = b"1\r\nx\r\n"
    else:
        headers["Content-Length"] = "1000" if kind == "sized" else "500000"
        drip = b"x"
    head = _head("POST", "/api/v1/media/slow/echo", headers)
    started = time.monotonic()
    answer = await _raw(gateway.port, [head], drip=drip, seconds=6)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"request_timeout"' in answer
    assert time.monotonic() - started < 3


async def test_an_early_answer_of_the_service_passes(gateway) -> None:
    """A service may refuse a body that it has not read."""
    status, _, body = await gateway.ask(
        "POST", "/api/v1/media/large/early", data=b"x" * 200_000
    )
    assert (status, json.loads(body)) == (413, {"code": "no"})


async def test_hundreds_of_failures_leave_nothing_behind(gateway) -> None:
    """HT-3: no socket and no memory is lost to services that misbehave."""
    paths = [
        "/api/v1/conversations/close",
        "/api/v1/conversations/garbage",
        "/api/v1/conversations/html?status=500",
        "/api/v1/conversations/cut?length=1000",
        "/api/v1/conversations/cut?length=100000",
    ]

    async def fail(path: str) -> None:
        try:
            status, _, _ = await gateway.ask("GET", path)
            assert status == 502
        except aiohttp.ClientPayloadError:
            assert path.endswith("100000")

    for path in paths * 5:
        await fail(path)
    sockets, memory = gateway.connections(), gateway.rss()
    for path in paths * 50:
        await fail(path)
    await asyncio.sleep(0.5)
    assert gateway.connections() <= sockets + 2
    assert gateway.rss() - memory < 10_000_000


async def test_the_gateway_answers_for_itself(gateway) -> None:
    """GET /api/v1/status is anonymous and asks nobody."""
    async with gateway.http.get(f"{gateway.url}/api/v1/status") as response:
        body = await response.json()
        assert response.status == 200
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
    assert body.keys() == {"status", "version"}
    assert body["status"] == "ok"


def _head(method: str, path: str, headers: dict[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway.test"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _raw(
    port: int, parts: list[bytes], *, seconds: float, drip: bytes = b""
) -> bytes:
    """Send bytes, then drip until there is an answer; return what came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
        async with asyncio.timeout(seconds):
            reading = asyncio.ensure_future(reader.read(65_536))
            while not reading.done():
                if drip:
                    writer.write(drip)
                await asyncio.wait({reading}, timeout=0.1)
            return await reading
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
