"""Calls between services: tokens, retries, deadlines, errors, on real sockets."""

import asyncio
import json

import pytest
from aiohttp import web
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from libs.chassis.access_tokens import JwksSource, jwks_over_http
from libs.chassis.http import ServiceClient, Timeouts
from libs.chassis.security import InternalTokenVerifier, Principal
from libs.crypto import SigningKeys
from libs.events.tracing import correlation_id
from libs.kernel import (
    ConflictError,
    ErrorKind,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from tests.support.asgi import InternalCallers


class Remote:
    """A service that answers what the test wants, and keeps what it was asked."""

    def __init__(self):
        self.answers = []
        self.requests = []
        self.url = ""

    async def handle(self, request):
        """Give the next answer; the last one again and again."""
        self.requests.append((request, await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            return await answer(request)
        status, body = answer
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text)


@pytest.fixture
async def remote():
    """A running remote service."""
    service = Remote()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    service.url = f"http://127.0.0.1:{port}"
    yield service
    await runner.cleanup()


@pytest.fixture
def callers(tmp_path):
    """Chat's key."""
    return InternalCallers(tmp_path, "chat")


@pytest.fixture
async def client(remote, callers):
    """Chat asking auth, impatiently."""
    timeouts = Timeouts(connect_seconds=0.5, total_seconds=0.6)
    made = ServiceClient(remote.url, callers.signer("chat"), "auth", timeouts)
    async with made as opened:
        yield opened


async def hang(_request):
    """Never answer."""
    await asyncio.sleep(60)


async def cut(request):
    """Close the connection without an answer."""
    request.transport.abort()
    return web.Response()


async def test_a_call_carries_token_and_trace(client, remote, callers):
    """The other side knows who asks, for whom, and in which trace."""
    remote.answers = [(200, {"x": 1})]
    correlation_id.set("action-1")
    span = SpanContext(7, 8, is_remote=False, trace_flags=TraceFlags(1))
    with trace.use_span(NonRecordingSpan(span)):
        answer = await client.get(
            "/internal/x", params={"a": "b +"}, principal=Principal("u1", "s1")
        )
    assert answer == {"x": 1}
    request, _ = remote.requests[0]
    assert request.query["a"] == "b +"
    assert request.headers["X-Correlation-Id"] == "action-1"
    assert request.headers["traceparent"] == f"00-{7:032x}-{8:016x}-01"
    verifier = InternalTokenVerifier(callers.jwks_file, "auth")
    principal = verifier.verify(
        request.headers["Authorization"].removeprefix("Bearer ")
    )
    assert principal == Principal("u1", "s1", caller="chat")


async def test_on_its_own_account_a_service_is_a_service(client, remote, callers):
    """Without a principal nobody's rights are lent."""
    remote.answers = [(204, "")]
    assert await client.request("POST", "/internal/x", json={"a": [1]}) is None
    request, body = remote.requests[0]
    assert json.loads(body) == {"a": [1]}
    assert request.content_type == "application/json"
    verifier = InternalTokenVerifier(callers.jwks_file, "auth")
    token = request.headers["Authorization"].removeprefix("Bearer ")
    assert verifier.verify(token).is_service


@pytest.mark.parametrize("failure", [(500, ""), (503, {"code": "x"}), cut])
async def test_an_idempotent_call_is_tried_twice(client, remote, failure):
    """One broken answer is forgiven."""
    remote.answers = [failure, (200, "[]")]
    assert await client.get("/x") == []
    assert len(remote.requests) == 2


@pytest.mark.parametrize("failure", [(500, ""), (502, "<html>"), cut])
async def test_two_broken_answers_are_unavailable(client, remote, failure):
    """A remote 5xx is ours to report as 503."""
    remote.answers = [failure]
    with pytest.raises(UnavailableError) as caught:
        await client.get("/x")
    assert caught.value.code == "auth_unavailable"
    # aiohttp itself would repeat an idempotent request whose connection was cut.
    assert len(remote.requests) == 2


async def test_a_post_is_never_repeated(client, remote):
    """It might have been done."""
    remote.answers = [(500, "")]
    with pytest.raises(UnavailableError):
        await client.request("POST", "/x", json={})
    assert len(remote.requests) == 1


async def test_a_hanging_service_costs_the_deadline_once(client, remote):
    """The retry does not double it."""
    remote.answers = [hang]
    loop = asyncio.get_running_loop()
    start = loop.time()
    with pytest.raises(UnavailableError):
        await client.get("/x")
    assert loop.time() - start < 1.2


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ((404, {"code": "thing_not_found"}), NotFoundError, "thing_not_found"),
        ((409, {"code": "taken"}), ConflictError, "taken"),
        ((429, {}), RateLimitedError, "auth_refused"),
        ((422, {"code": "request_invalid"}), InvalidError, "request_invalid"),
        ((404, []), NotFoundError, "auth_refused"),
    ],
)
async def test_a_refusal_keeps_kind_and_code(client, remote, answer, kind, code):
    """What the other service says of the request is true here too."""
    remote.answers = [answer]
    with pytest.raises(kind) as caught:
        await client.get("/x")
    assert caught.value.code == code
    assert len(remote.requests) == 1


@pytest.mark.parametrize("body", ["<html>", '{"a":1,"a":2}', "[" * 100, "NaN"])
async def test_nonsense_is_unavailable(client, remote, body):
    """NO-1: an answer that is no strict JSON is none."""
    remote.answers = [(200, body)]
    with pytest.raises(UnavailableError):
        await client.get("/x")


async def test_a_huge_answer_is_not_read_to_its_end(client, remote):
    """At most 4 MiB."""
    remote.answers = [(200, '"' + "x" * 5_000_000 + '"')]
    with pytest.raises(UnavailableError):
        await client.get("/x")


async def test_redirects_are_not_followed(client, remote):
    """An internal token goes where the settings say, nowhere else."""

    async def redirect(_request):
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"})

    remote.answers = [redirect]
    assert await client.get("/x") is None
    assert len(remote.requests) == 1


async def test_nobody_listening_is_unavailable_and_opens_the_breaker(callers):
    """After twenty failures calls are refused without trying."""
    async with ServiceClient(
        "http://127.0.0.1:9", callers.signer("chat"), "auth"
    ) as client:
        for _ in range(11):
            with pytest.raises(UnavailableError):
                await client.get("/x")
        assert client._breaker.is_open
        loop = asyncio.get_running_loop()
        start = loop.time()
        with pytest.raises(UnavailableError) as caught:
            await client.get("/x")
        assert loop.time() - start < 0.02
        assert caught.value.retry_after_seconds == 2


async def test_auths_keys_are_fetched_over_http(client, remote):
    """The JWKS of the address in the settings; errors are unavailable."""
    keys = SigningKeys.generate("auth:1")
    fetch = jwks_over_http(client.session, f"{remote.url}/jwks.json")
    remote.answers = [(200, keys.jwks())]
    source = JwksSource(fetch)
    assert await source.key("auth:1")
    for answer in [(500, ""), (302, ""), (200, "<html>"), cut]:
        remote.answers = [answer]
        with pytest.raises((UnavailableError, InvalidError)) as caught:
            await fetch()
        assert caught.value.kind in (ErrorKind.UNAVAILABLE, ErrorKind.INVALID)
    remote.answers = [hang]
    refreshing = asyncio.create_task(JwksSource(fetch).key("x"))
    with pytest.raises(UnavailableError):
        await refreshing


async def test_closing_the_source_stops_a_fetch(client, remote):
    """No task outlives the service."""
    remote.answers = [hang]
    source = JwksSource(jwks_over_http(client.session, remote.url))
    asking = asyncio.create_task(source.key("x"))
    await asyncio.sleep(0.05)
    await source.aclose()
    with pytest.raises(asyncio.CancelledError):
        await asking
