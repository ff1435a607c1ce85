"""What the edge says: over TLS, by headers, compressed, and into its log."""

import asyncio
import gzip
import json
import socket
import ssl
import warnings

import pytest

from deploy.embedded.layout import HOST
from deploy.embedded.servers.nginx import edge_form
from tests.support import raw_h2
from tests.support.edge import running_edge

pytestmark = pytest.mark.integration

HEAD = f"Host: {HOST}\r\nConnection: close\r\n"
SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
YEAR = "max-age=31536000; includeSubDomains"


@pytest.fixture(scope="module")
def edge(block):
    """The embedded edge, the same for all tests here."""
    with running_edge(block, edge_form(block)) as running:
        yield running


def get(path, more="", host=HOST):
    """Return the text of a request that closes its connection."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"


def handshake(edge, version, ciphers=None):
    """Return the version that client and edge agree on."""
    trust = edge.trust()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        trust.minimum_version = trust.maximum_version = version
    trust.set_ciphers(ciphers or "ALL:@SECLEVEL=0")
    with (
        socket.create_connection((HOST, edge.port("edge_tls")), 5) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        return connection.version()


def test_tls_begins_at_1_2_with_a_certificate_of_the_stack(edge):
    """1.2 and 1.3 are spoken, the older ones and weak ciphers are not."""
    assert handshake(edge, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert handshake(edge, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises(ssl.SSLError):
            handshake(edge, version)
    for weak in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES256-GCM-SHA384"):
        with pytest.raises(ssl.SSLError):
            handshake(edge, ssl.TLSVersion.TLSv1_2, f"{weak}:@SECLEVEL=0")


async def test_http_2_is_agreed_and_serves_pages_and_api(edge, gateway):
    """A browser gets HTTP/2 over TLS, for files and for what is behind."""
    port, trust = edge.port("edge_tls"), edge.trust()
    for path in ("/", "/api/v1/x"):
        header = raw_h2.fields("GET", path)
        answer = await asyncio.to_thread(raw_h2.ask, trust, port, header)
        assert (answer.status, answer.is_refused) == (200, False)
        assert answer.body
    assert edge.log()[-1]["protocol"] == "HTTP/2.0"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (get("/"), 200),
        (get("/style.css"), 200),
        (get("/nothing"), 404),
        (get("/api/v1/x"), 503),
        (get("/.well-known/jwks.json"), 503),
        (get("/socket.io/"), 400),
        (get("/socket.io/", "Upgrade: websocket\r\n"), 503),
        (get("/", host="evil.example"), 421),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
        (f"GET / HTTP/9.9\r\n{HEAD}\r\n", 400),
        (f"POST / HTTP/1.1\r\n{HEAD}Content-Length: 0\r\n\r\n", 405),
        (f"POST /api/v1/x HTTP/1.1\r\n{HEAD}Content-Length: 2000000\r\n\r\n", 413),
        (get(f"/{'a' * 9000}"), 414),
        (get("/", f"X-Long: {'a' * 9000}\r\n"), 431),
        (get("/", "Range: bytes=99999999-\r\n"), 416),
        (get("/", "If-None-Match: *\r\n"), 304),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_hd_1_every_answer_has_every_header(edge, text, status):
    """HD-1: pages, errors of nginx and of what is behind, plain and over TLS."""
    for listener in ("edge", "edge_tls"):
        trust = edge.trust() if listener == "edge_tls" else None
        answer = edge.say(text, listener, trust=trust, is_patient=False)
        assert answer.status == status
        assert answer.headers.items() >= SECURITY.items()
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert len(answer.headers["x-request-id"]) == 32
        assert answer.headers["server"] == "nginx"
        if status not in {200, 304}:
            assert answer.headers["content-type"].startswith("application/problem+json")
            assert json.loads(answer.body)["trace_id"] == answer.headers["x-request-id"]
        expected = YEAR if trust is not None else None
        assert answer.headers.get("strict-transport-security") == expected


def test_hd_1_localhost_is_not_bound_to_https(edge):
    """HD-1: the rule would hold for all servers of a developer's machine."""
    answer = edge.say(get("/", host="localhost"), "edge_tls", trust=edge.trust())
    assert answer.status == 200
    assert "strict-transport-security" not in answer.headers


async def test_pages_are_compressed_and_answers_of_the_api_are_not(edge, gateway):
    """A secret beside a client's own words is never compressed (BREACH)."""
    accepts = "Accept-Encoding: gzip\r\n"
    page = await asyncio.to_thread(edge.say, get("/reference.js", accepts))
    assert page.headers["content-encoding"] == "gzip"
    assert page.headers["vary"] == "Accept-Encoding"
    assert b"function" in gzip.decompress(_whole(page))
    large = get("/api/v1/x?bytes=20000", accepts)
    answer = await asyncio.to_thread(edge.say, large)
    assert answer.status == 200
    assert "content-encoding" not in answer.headers
    assert b"x" * 20_000 in answer.body


def _whole(answer):
    """Return a chunked body as one."""
    body, rest = b"", answer.body
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/", "/"),
        ("/style.css", "/style.css"),
        ("/verify?token=marker", "/verify"),
        ("/api/v1/conversations/0193a5c4/messages?q=marker", "/api/v1/conversations"),
        ("/api/v1/auth/login", "/api/v1/auth/login"),
        ("/api/v1/invites/marker7", "/api/v1/invites"),
        ("/marker@example.org", "-"),
        ("/reset/marker", "-"),
        ("/api/marker", "-"),
    ],
)
def test_the_log_tells_the_route_and_nothing_that_a_client_made_up(edge, path, logged):
    """One line of JSON a request: no query, no id, no header, no whole address."""
    answer = edge.say(get(path, "Authorization: Bearer marker\r\nCookie: marker\r\n"))
    line = edge.logged(answer)
    assert (line["event"], line["path"]) == ("request_served", logged)
    assert (line["method"], line["status"]) == ("GET", answer.status)
    assert line["network"] == "127.0.0.0"
    assert "marker" not in json.dumps(line)


def test_an_odd_method_is_not_spelled_out(edge):
    """A word in the place of the method could be anything."""
    answer = edge.say(f"MARKER / HTTP/1.1\r\n{HEAD}\r\n")
    assert answer.status == 405
    assert edge.logged(answer)["method"] == "other"


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "{origin}.evil.example",
        "{origin}0",
        "http://evil.example?{origin}",
        "{origin}/",
        " {origin}, http://evil.example",
        "HTTP://127.0.0.1:{port}",
        "http://user@127.0.0.1:{port}",
        "https://127.0.0.1:{port}",
    ],
)
def test_co_1_files_are_put_by_the_sites_own_pages_alone(edge, origin):
    """CO-1: null, prefix, suffix, other scheme, port or case: no CORS header."""
    origin = origin.format(origin=edge.url, port=edge.port())
    more = f"Origin: {origin}\r\n"
    for method in ("GET", "PUT", "OPTIONS"):
        text = get("/parley-media/x", more).replace("GET", method, 1)
        answer = edge.say(text, "files", is_patient=False)
        assert answer.status in {204, 503}
        allowed = [name for name in answer.headers if name.startswith("access-control")]
        assert allowed == []


def test_co_1_the_sites_own_origins_are_told_exactly_and_without_credentials(edge):
    """CO-1: the answer names the origin that asked, never all, never with cookies."""
    for origin in (edge.url, edge.tls_url):
        more = f"Origin: {origin}\r\n"
        text = get("/parley-media/x", more).replace("GET", "OPTIONS", 1)
        answer = edge.say(text, "files", is_patient=False)
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers
