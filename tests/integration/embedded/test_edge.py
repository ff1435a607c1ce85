"""nginx as the edge: what it lets through, what it says itself, what it keeps back."""

import gzip
import http.client
import json
import socket
import ssl
import time

import aiohttp
import boto3
import pytest
from botocore.config import Config

from tests.support.stack import go_up

pytestmark = pytest.mark.integration

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
HSTS = "Strict-Transport-Security"
HOST = "Host: 127.0.0.1\r\n"
CLOSE = "Connection: close\r\n"
FIVE = "Content-Length: 5\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="session")
def edge(stack):
    """The stack with the edge and what these tests reach behind it."""
    go_up(stack.stack, ("edge", "auth"))
    return stack


def ask(port, method, path, body=None, headers=None):
    """Return status, headers in lower case and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return response.status, names, response.read()
    finally:
        connection.close()


def raw(port, text, seconds=20.0):
    """Send bytes as they are; return the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(text if isinstance(text, bytes) else text.encode())
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
    return answer.decode(errors="replace")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/verify",
        "/reset",
        "/link.js",
        "/style.css",
        "/reference",
        "/reference.js",
        "/reference.css",
    ],
)
def test_static_client_is_served_with_every_header(edge, path):
    """Pages come from files, under a policy that lets no foreign script run."""
    status, headers, body = ask(edge.port("edge"), "GET", path)
    assert status == 200
    assert body
    assert headers.items() >= EVERYWHERE.items()
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "charset=utf-8" in headers["content-type"]
    assert headers["server"] == "nginx"


@pytest.mark.parametrize(
    "path", ["/nothing", "/health/ready", "/internal/sessions", "/metrics", "/docs"]
)
def test_unknown_and_internal_paths_are_the_edges_own_problem(edge, path):
    """What is not published is not found, in the house's error form."""
    status, headers, body = ask(edge.port("edge"), "GET", path)
    assert status == 404
    assert headers["content-type"].startswith("application/problem+json")
    assert headers.items() >= EVERYWHERE.items()
    problem = json.loads(body)
    assert (problem["code"], problem["status"]) == ("not_found", 404)
    assert len(problem["trace_id"]) == 32


def test_api_answers_through_the_edge_and_is_not_stored(edge):
    """A request reaches gateway; its private answer is kept by nobody."""
    status, headers, body = ask(edge.port("edge"), "GET", "/api/v1/me")
    assert status == 401
    assert json.loads(body)["code"] == "token_missing"
    assert "no-store" in headers["cache-control"]
    assert headers.items() >= EVERYWHERE.items()


def test_public_keys_are_where_clients_look_for_them(edge):
    """The well-known path leads to auth's key set."""
    status, _, body = ask(edge.port("edge"), "GET", "/.well-known/jwks.json")
    assert status == 200
    assert json.loads(body)["keys"]


def test_the_description_of_the_api_is_public_and_may_be_kept(edge):
    """FZ-3: one document for programs and for the page, compressed, with a tag."""
    port, path = edge.port("edge"), "/api/v1/openapi.json"
    status, headers, body = ask(port, "GET", path, headers={"Accept-Encoding": "gzip"})
    assert status == 200
    assert headers["content-type"].startswith("application/json")
    assert headers["cache-control"] == "public, max-age=300"
    assert headers["vary"] == "Accept-Encoding"
    assert headers.items() >= EVERYWHERE.items()
    document = json.loads(gzip.decompress(body))
    assert document["openapi"].startswith("3.1")
    assert {"/api/v1/auth/login", "/api/v1/status", path} <= document["paths"].keys()
    status, again, body = ask(
        port, "GET", path, headers={"If-None-Match": headers["etag"]}
    )
    assert (status, body, again["etag"]) == (304, b"", headers["etag"])
    assert again["cache-control"] == "public, max-age=300"
    status, _, body = ask(port, "GET", "/api/v1/status")
    assert json.loads(body) == {"status": "ok", "version": document["info"]["version"]}


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "{own}", "{own}.evil.example", "{own}1"]
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
def test_co_1_the_api_lets_in_no_origin(edge, origin, method):
    """CO-1: the API is for its own origin, which needs no permission, and says so."""
    headers = {
        "Origin": origin.format(own=edge.edge_url),
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    for path in ("/api/v1/status", "/api/v1/auth/refresh", "/"):
        status, answered, _ = ask(edge.port("edge"), method, path, headers=headers)
        assert status in {200, 401, 403, 405, 415, 422}
        assert not [name for name in answered if name.startswith("access-control")]


COOKIE = {"Cookie": "__Host-parley_refresh=made-up", "Content-Type": "application/json"}
CLIENT = {"X-Parley-Client": "web"}


@pytest.mark.parametrize("path", ["/api/v1/auth/refresh", "/api/v1/auth/logout"])
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "{own}"}, "origin_refused"),
        ({**CLIENT}, "origin_refused"),
        ({**CLIENT, "Origin": "null"}, "origin_refused"),
        ({**CLIENT, "Origin": "http://evil.example"}, "origin_refused"),
        ({**CLIENT, "Origin": "{own}.evil.example"}, "origin_refused"),
        (
            {**CLIENT, "Origin": "{own}", "Sec-Fetch-Site": "cross-site"},
            "origin_refused",
        ),
        (
            {**CLIENT, "Origin": "{own}", "Sec-Fetch-Site": "same-site"},
            "origin_refused",
        ),
    ],
    ids=["no-header", "no-origin", "null", "foreign", "suffix", "cross", "same-site"],
)
def test_cs_1_a_cookie_counts_from_the_client_alone(edge, path, headers, code):
    """CS-1: another origin, a missing header, another site: refused with the cookie."""
    sent = COOKIE | {k: v.format(own=edge.edge_url) for k, v in headers.items()}
    status, _, body = ask(edge.port("edge"), "POST", path, b"{}", sent)
    assert (status, json.loads(body)["code"]) == (403, code)


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""],
)
def test_cs_1_what_a_form_can_send_is_no_json(edge, kind):
    """CS-1: the three types that a page may send anywhere are refused with 415."""
    sent = {"Content-Type": kind} if kind else {}
    for path in ("/api/v1/auth/login", "/api/v1/auth/register"):
        status, _, body = ask(edge.port("edge"), "POST", path, b'{"email":"a"}', sent)
        assert (status, json.loads(body)["code"]) == (415, "content_type_unsupported")


def test_polling_transport_is_refused(edge):
    """Only WebSocket reaches chat."""
    status, _, body = ask(
        edge.port("edge"), "GET", "/socket.io/?EIO=4&transport=polling"
    )
    assert status == 400
    assert json.loads(body)["code"] == "transport_unsupported"


def test_websocket_upgrade_reaches_chat(edge):
    """An upgrade is answered by chat with 101."""
    with socket.create_connection(("127.0.0.1", edge.port("edge")), 10) as client:
        client.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n{HOST}"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 101")


async def test_everything_is_there_over_tls(edge):
    """HD-1: the same site and its sockets, with a certificate of the stack."""
    trust = ssl.create_default_context(cafile=str(edge.stack.ca_file))
    address = edge.stack.address("edge_tls")
    options = {"ssl": trust, "headers": {"Origin": f"https://{address}"}}
    async with aiohttp.ClientSession() as http:
        for path in ("/", "/api/v1/status"):
            async with http.get(f"https://{address}{path}", ssl=trust) as response:
                assert response.status == 200
                assert "max-age=31536000" in response.headers[HSTS]
        url = f"wss://{address}/socket.io/?EIO=4&transport=websocket"
        async with http.ws_connect(url, **options) as socket:
            assert (await socket.receive_str(timeout=5)).startswith("0{")


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        (f"GET / HTTP/1.1\r\nHost: elsewhere.example\r\n{CLOSE}\r\n", 421),
        (f"GET / HTTP/1.1\r\n{HOST}{HOST}\r\n", 400),
        (f"GET /{'a' * 9000} HTTP/1.1\r\n{HOST}\r\n", 414),
        (f"GET / HTTP/1.1\r\n{HOST}X: {'a' * 9000}\r\n\r\n", 431),
        (f"GET / HTTP/3.0\r\n{HOST}\r\n", 400),
        ("\x16\x03\x01 not HTTP\r\n\r\n", 400),
        (f"GET /a\0b HTTP/1.1\r\n{HOST}\r\n", 400),
        (f"TRACE / HTTP/1.1\r\n{HOST}\r\n", 405),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (f"POST / HTTP/1.1\r\n{HOST}{CLOSE}Content-Length: 0\r\n\r\n", 405),
        (f"POST /api/v1/x HTTP/1.1\r\n{HOST}Content-Length: 2000000\r\n\r\n", 413),
        (
            f"POST /api/v1/x HTTP/1.1\r\n{HOST}{FIVE}{CHUNKED}\r\n0\r\n\r\n",
            400,
        ),
        (
            f"POST /api/v1/x HTTP/1.1\r\n{HOST}{FIVE}Content-Length: 6\r\n\r\nabcdef",
            400,
        ),
        (f"POST /api/v1/x HTTP/1.1\r\n{HOST}Transfer-Encoding: odd\r\n\r\n", 400),
    ],
)
def test_malformed_requests_end_at_the_edge(edge, request_text, status):
    """Each is refused by nginx, as problem+json, before anything behind sees it."""
    answer = raw(edge.port("edge"), request_text)
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["code"] != "request_failed"
    assert "X-Content-Type-Options: nosniff" in head


def test_access_log_names_the_path_and_no_query(edge):
    """A search term or a link's signature is in no log line."""
    path = "/api/v1/users?query=secret-marker"
    _, headers, _ = ask(edge.port("edge"), "GET", path)
    log = edge.stack.logs / "edge-access.log"
    limit = time.monotonic() + 5
    while headers["x-request-id"] not in log.read_text():
        assert time.monotonic() < limit
        time.sleep(0.02)
    assert '"path":"/api/v1/users"' in log.read_text()
    for path in (log, edge.stack.log("edge")):
        assert "secret-marker" not in path.read_text()
    assert json.loads(log.read_text().splitlines()[-1])["event"] == "request_served"


@pytest.fixture
def links(edge):
    """Make presigned links to the files' origin, as media does."""
    settings = edge.service_environment("media")
    client = boto3.client(
        "s3",
        endpoint_url=settings["MEDIA_S3_PUBLIC_URL"],
        **edge.store_keys(),
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )

    def link(operation, **parameters):
        url = client.generate_presigned_url(
            operation,
            Params={"Bucket": settings["MEDIA_S3_BUCKET"], **parameters},
            ExpiresIn=60,
        )
        return url.removeprefix(settings["MEDIA_S3_PUBLIC_URL"])

    yield link
    client.close()


def test_file_goes_in_and_out_through_its_own_origin(edge, links):
    """A presigned link verifies behind the edge, and its bytes run nowhere."""
    port = edge.port("files")
    path = links("put_object", Key="a b/x.html", ContentType="text/html")
    origin = {"Content-Type": "text/html", "Origin": edge.edge_url}
    status, headers, _ = ask(port, "PUT", path, b"<script>", origin)
    assert status == 200
    assert headers["access-control-allow-origin"] == edge.edge_url
    status, headers, body = ask(port, "GET", links("get_object", Key="a b/x.html"))
    assert (status, body) == (200, b"<script>")
    assert "sandbox" in headers["content-security-policy"]
    assert headers["content-disposition"] == "attachment"
    assert headers["x-content-type-options"] == "nosniff"
    assert not [name for name in headers if name.startswith("seaweed")]
    signed = links(
        "get_object",
        Key="a b/x.html",
        ResponseContentDisposition='attachment; filename="x.html"',
    )
    _, headers, _ = ask(port, "GET", signed)
    assert headers["content-disposition"] == 'attachment; filename="x.html"'


def test_files_origin_serves_nothing_without_a_link(edge, links):
    """No listing, no deletion, no forged signature, no foreign page's upload."""
    port = edge.port("files")
    good = links("get_object", Key="a b/x.html")
    assert ask(port, "GET", "/")[0] == 404
    assert ask(port, "GET", "/parley-media/")[0] == 403
    assert ask(port, "GET", good[:-4] + "0000")[0] == 403
    assert ask(port, "DELETE", good)[0] == 403
    assert ask(port, "POST", good, b"x")[0] == 403
    foreign = {"Origin": "http://evil.example"}
    _, headers, _ = ask(port, "OPTIONS", good, headers=foreign)
    assert "access-control-allow-origin" not in headers
    status, _, body = ask(port, "PUT", good, headers={"Content-Length": "200000000"})
    assert (status, json.loads(body)["code"]) == (413, "too_large")


def test_dead_gateway_is_told_as_unavailable_and_comes_back(edge):
    """With nothing behind, the edge says 503 and when to try again."""
    edge.stop("gateway")
    try:
        status, headers, body = ask(edge.port("edge"), "GET", "/api/v1/me")
        assert status == 503
        assert headers["retry-after"] == "1"
        assert json.loads(body)["code"] == "unavailable"
    finally:
        edge.start("gateway")
    assert ask(edge.port("edge"), "GET", "/api/v1/me")[0] == 401


@pytest.mark.faults
def test_killed_edge_leaves_no_worker_and_comes_back(edge):
    """Kill -9 of nginx's master ends its workers too; a new one takes the ports."""
    edge.kill("edge")
    edge.wait_ready("edge")
    assert ask(edge.port("edge"), "GET", "/")[0] == 200
