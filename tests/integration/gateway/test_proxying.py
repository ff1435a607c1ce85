"""What passes through the gateway, in both directions."""

import asyncio
import hashlib
import json

import aiohttp
import pytest

from deploy.embedded.keys import internal_jwks_file
from libs.chassis.security import InternalTokenVerifier

pytestmark = pytest.mark.integration
MEGABYTE = 1_000_000


def verifier_of(stack, service: str) -> InternalTokenVerifier:
    """Return what a service verifies internal tokens with."""
    verifier = InternalTokenVerifier(internal_jwks_file(stack.stack), service)
    verifier.load()
    return verifier


async def test_a_request_arrives_as_it_was_sent(gateway) -> None:
    """Method, target, body and content headers reach the service unchanged."""
    body = json.dumps({"text": "ä"}).encode()
    target = "/api/v1/conversations/a%20b/echo?x=%2F&y=1&y=2&z"
    url = aiohttp.client.URL(gateway.url + target, encoded=True)
    headers = {
        "Authorization": f"Bearer {gateway.tokens.access()}",
        "Content-Type": "application/json",
        "Accept-Language": "de",
    }
    async with gateway.http.post(url, data=body, headers=headers) as response:
        seen = await response.json()
    assert response.status == 200
    assert (seen["method"], seen["target"]) == ("POST", target)
    assert seen["body_sha256"] == hashlib.sha256(body).hexdigest()
    arrived = dict(seen["headers"])
    assert arrived["content-type"] == "application/json"
    assert arrived["accept-language"] == "de"
    assert arrived["content-length"] == str(len(body))


async def test_the_service_gets_a_token_of_the_gateway_for_the_user(
    stack, gateway
) -> None:
    """IN-1, MF-6: whom, which session, roles, when proved; the token stays here."""
    token = gateway.tokens.access(
        sub="user-1", sid="session-1", roles=["admin"], auth_time=1_700_000_000
    )
    headers = {"Authorization": f"Bearer {token}"}
    _, _, body = await gateway.ask("GET", "/api/v1/projects/echo", headers=headers)
    arrived = dict(json.loads(body)["headers"])
    internal = arrived["authorization"].removeprefix("Bearer ")
    assert internal != token
    principal = verifier_of(stack, "project").verify(internal)
    assert (principal.user_id, principal.session_id) == ("user-1", "session-1")
    assert (principal.roles, principal.caller) == (("admin",), "gateway")
    assert principal.authenticated_at == 1_700_000_000


async def test_an_anonymous_route_ignores_tokens(stack, gateway) -> None:
    """A bad token does not lock anybody out of signing in; a good one is not used."""
    verifier = verifier_of(stack, "auth")
    for token in ("nonsense", gateway.tokens.access()):
        _, _, body = await gateway.ask(
            "POST",
            "/api/v1/auth/login/echo",
            headers={"Authorization": f"Bearer {token}"},
            json={},
        )
        arrived = dict(json.loads(body)["headers"])
        internal = arrived["authorization"].removeprefix("Bearer ")
        assert verifier.verify(internal).is_anonymous


async def test_logout_reads_a_good_token_and_does_without(stack, gateway) -> None:
    """Who holds only a cookie can sign out too."""
    verifier = verifier_of(stack, "auth")
    good = gateway.tokens.access(sub="user-2")
    seen = []
    for headers in ({"Authorization": f"Bearer {good}"}, {"Authorization": "Bearer x"}):
        _, _, body = await gateway.ask(
            "POST", "/api/v1/auth/logout/echo", headers=headers
        )
        arrived = dict(json.loads(body)["headers"])
        internal = arrived["authorization"].removeprefix("Bearer ")
        seen.append(verifier.verify(internal).user_id)
    assert seen == ["user-2", "anonymous"]


SPOOFED = {
    "X-User-Id": "admin",
    "X-Internal-Token": "t",
    "X-Real-IP": "6.6.6.6",
    "X-Client-Address": "6.6.6.6",
    "X-Client-Agent": "evil",
    "X-Correlation-Id": "evil-correlation",
    "X-Request-Budget": "1",
    "X-Forwarded-Host": "evil.example",
    "X-Original-URL": "/internal/sessions",
    "X-HTTP-Method-Override": "DELETE",
    "Forwarded": "for=6.6.6.6",
    "Via": "1.1 evil",
    "Remote-User": "admin",
    "True-Client-IP": "6.6.6.6",
    "Tracestate": "evil=1",
    "Baggage": "evil=1",
    "Cookie": "a=b",
    "TE": "trailers",  # codespell:ignore te
    "Connection": "Accept-Language",
}


async def test_spoofed_headers_have_no_effect(gateway) -> None:
    """RL-5: of what a client says about itself nothing arrives."""
    _, _, body = await gateway.ask(
        "GET",
        "/api/v1/conversations/echo",
        headers={
            **SPOOFED,
            "X-Forwarded-For": "6.6.6.6, 192.0.2.7",
            "X-Request-Id": "0123456789abcdef0123456789abcdef",
            "User-Agent": "probe/1",
            "Accept-Language": "de",
        },
    )
    arrived = dict(json.loads(body)["headers"])
    assert "evil" not in str(arrived)
    assert "6.6.6.6" not in str(arrived)
    assert arrived["x-client-address"] == "192.0.2.7"
    assert arrived["x-client-agent"] == "probe/1"
    assert arrived["x-request-id"] == "0123456789abcdef0123456789abcdef"
    assert "accept-language" not in arrived
    assert {name for name in arrived if name.startswith("x-")} == {
        "x-client-address",
        "x-client-agent",
        "x-request-budget",
        "x-request-id",
    }
    assert arrived["x-request-budget"] == "5000"


async def test_a_trace_goes_on_behind_the_gateway(gateway) -> None:
    """The service's parent is the gateway's span, in the client's trace."""
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    _, _, body = await gateway.ask(
        "GET",
        "/api/v1/conversations/echo",
        headers={"traceparent": f"00-{trace}-{span}-01"},
    )
    arrived = dict(json.loads(body)["headers"])["traceparent"].split("-")
    assert arrived[1] == trace
    assert arrived[2] != span
    _, _, body = await gateway.ask("GET", "/api/v1/conversations/echo")
    assert len(dict(json.loads(body)["headers"])["traceparent"]) == 55


async def test_what_a_service_says_to_the_gateway_stays_there(gateway) -> None:
    """HD-1, CO-1: security headers on, versions, CORS, cookies and hop-by-hop off."""
    status, headers, _ = await gateway.ask("GET", "/api/v1/conversations/chatty")
    assert status == 200
    assert headers["ETag"] == '"7"'
    assert headers.getall("Content-Security-Policy") == [
        "default-src 'none'; frame-ancestors 'none'"
    ]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Request-Id"] != "theirs"
    for name in ("X-Powered-By", "Access-Control-Allow-Origin", "Set-Cookie", "X-Hop"):
        assert name not in headers
    assert "secret" not in str(headers)


async def test_cookies_and_their_proof_pass_to_auth_alone(gateway) -> None:
    """CS-1: Cookie, Origin and the client's header reach refresh; Set-Cookie leaves."""
    sent = {"Cookie": "a=b", "Origin": "http://x.test", "X-Parley-Client": "web"}
    _, headers, body = await gateway.ask(
        "POST", "/api/v1/auth/refresh/echo", headers=sent
    )
    arrived = dict(json.loads(body)["headers"])
    assert {arrived["cookie"], arrived["origin"]} == {"a=b", "http://x.test"}
    assert arrived["x-parley-client"] == "web"
    _, headers, _ = await gateway.ask("POST", "/api/v1/auth/refresh/chatty")
    assert headers["Set-Cookie"] == "a=b"


async def test_the_log_has_one_line_a_request_and_nothing_private(gateway) -> None:
    """What never to log: paths, queries, bodies, tokens, addresses, foreign headers."""
    marker = "mark3r"
    token = gateway.tokens.access(sub="user-3")
    await gateway.ask(
        "POST",
        f"/api/v1/conversations/{marker}/echo?q={marker}",
        data=marker.encode(),
        headers={
            "Authorization": f"Bearer {token}",
            "User-Agent": marker,
            "X-Forwarded-For": "198.51.100.77",
            "X-Request-Id": "00000000-0000-7000-8000-00000000cafe",
        },
    )
    line, text = None, ""
    async with asyncio.timeout(10):  # it is written after the answer has left
        while line is None:
            text = gateway.log()
            line = _proxied(text, "00000000cafe")
            await asyncio.sleep(0.02)
    assert (line["route"], line["upstream"]) == ("/api/v1/conversations", "chat")
    assert (line["status"], line["user_id"]) == (200, "user-3")
    for private in (marker, token, token.split(".")[2], "198.51.100.77"):
        assert private not in text


def _proxied(log: str, request: str) -> dict | None:
    """Return the line of a request whose id ends so, None while there is none."""
    found = [json.loads(line) for line in log.splitlines() if request in line]
    lines = [line for line in found if line["event"] == "request_proxied"]
    assert len(lines) <= 1
    return next(iter(lines), None)


async def test_100_megabytes_stream_up_in_constant_memory(gateway) -> None:
    """Sized and chunked, nothing is collected on the way."""
    part, parts = b"u" * 65_536, 1_600

    async def body():
        for _ in range(parts):
            yield part

    await gateway.ask("POST", "/api/v1/media/large/echo", data=b"warm")
    before = gateway.rss()
    peak = before
    for extra in ({}, {"Content-Length": str(len(part) * parts)}):
        sending = asyncio.ensure_future(
            gateway.ask("POST", "/api/v1/media/large/echo", data=body(), headers=extra)
        )
        while not sending.done():
            peak = max(peak, gateway.rss())
            await asyncio.sleep(0.05)
        status, _, answer = await sending
        assert status == 200
        assert json.loads(answer)["body_bytes"] == len(part) * parts
    assert peak - before < 20 * MEGABYTE


@pytest.mark.parametrize("query", ["parts=1600", "parts=1600&sized=1"])
async def test_100_megabytes_stream_down_to_a_slow_reader(gateway, query) -> None:
    """The service is slowed down to the client's pace; memory does not grow."""
    headers = {"Authorization": f"Bearer {gateway.tokens.access()}"}
    before = gateway.rss()
    peak, size = before, 0
    url = f"{gateway.url}/api/v1/media/large/stream?{query}"
    async with gateway.http.get(url, headers=headers) as response:
        async for part in response.content.iter_chunked(1 << 20):
            size += len(part)
            peak = max(peak, gateway.rss())
            await asyncio.sleep(0.005)
    assert size == 1_600 * 65_536
    assert peak - before < 20 * MEGABYTE


async def test_a_client_that_leaves_takes_its_request_along(gateway) -> None:
    """HT-3: the hanging service sees its handler cancelled within a second."""
    before = (await gateway.counts()).get("hang_cancelled", 0)
    with pytest.raises(TimeoutError):
        await gateway.ask(
            "GET",
            "/api/v1/conversations/hang",
            timeout=aiohttp.ClientTimeout(total=0.5),
        )
    async with asyncio.timeout(2):
        await gateway.counted("hang_cancelled", before + 1)


async def test_a_client_that_leaves_a_download_ends_it(gateway) -> None:
    """The rest of a stream is not read for nobody."""
    headers = {"Authorization": f"Bearer {gateway.tokens.access()}"}
    before = (await gateway.counts()).get("stream_cancelled", 0)
    url = f"{gateway.url}/api/v1/media/large/stream?parts=100000"
    async with gateway.http.get(url, headers=headers) as response:
        await response.content.readexactly(100_000)
        response.close()
    async with asyncio.timeout(15):
        await gateway.counted("stream_cancelled", before + 1)


async def test_a_thousand_requests_leave_nothing_behind(gateway) -> None:
    """No connection more than before, and no memory to speak of."""
    token = gateway.tokens.access()
    headers = {"Authorization": f"Bearer {token}"}
    for _ in range(50):
        await gateway.ask("GET", "/api/v1/conversations/echo", headers=headers)
    sockets, memory = gateway.connections(), gateway.rss()
    for _ in range(1_000):
        status, _, _ = await gateway.ask(
            "GET", "/api/v1/conversations/echo", headers=headers
        )
        assert status == 200
    assert gateway.connections() <= sockets + 1
    assert gateway.rss() - memory < 10 * MEGABYTE
