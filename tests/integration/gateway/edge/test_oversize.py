"""HT-1 through the real edge and gateway: what is too large ends before it is kept."""

import socket
import time

import psutil
import pytest

from deploy.embedded.layout import HOST
from tests.integration.gateway.edge.conftest import OPEN
from tests.support import raw_h2
from tests.support.edge import parsed

pytestmark = pytest.mark.integration

HEAD = f"HTTP/1.1\r\nHost: {HOST}\r\n"
CLOSE = "Connection: close\r\n"
MIB = 1_048_576
GROWTH_MAX_BYTES = 20_000_000
SOURCE = "127.77.0.1"
"""A client's address of its own: what other tests ask does not count against it."""


def get(path, fields=""):
    """Return the text of a request."""
    return f"GET {path} {HEAD}{CLOSE}{fields}\r\n"


def post(path, fields, body=""):
    """Return the text of a request with a body."""
    return f"POST {path} {HEAD}{CLOSE}{fields}\r\n{body}"


FIELDS = "".join(f"X-{number}: x\r\n" for number in range(110))
LONG = "".join(f"X-{number}: {'a' * 4_000}\r\n" for number in range(5))


SIZES = {
    "URL": (get(f"{OPEN}?{'a' * 8_200}"), 414),
    "URL beyond all buffers": (get(f"/{'a' * 20_000}"), 414),
    "URL that fits": (get(f"{OPEN}?{'a' * 4_000}"), 200),
    "path": (get(f"/api/v1/media/open/{'a' * 3_000}"), 400),
    "number of fields": (get(OPEN, FIELDS), 431),
    "one field": (get(OPEN, f"X-Long: {'a' * 8_200}\r\n"), 431),
    "all fields": (get(OPEN, LONG), 431),
    "cookies": (get(OPEN, f"Cookie: {'a=b; ' * 3_000}\r\n"), 431),
    "body": (post(OPEN, f"Content-Length: {MIB + 1}\r\n"), 413),
    "body of a terabyte": (post(OPEN, "Content-Length: 1000000000000\r\n"), 413),
    "body of a route": (post("/api/v1/auth/login", "Content-Length: 65537\r\n"), 413),
    "body that fits": (post(OPEN, f"Content-Length: {MIB}\r\n", "x" * MIB), 200),
}


@pytest.mark.parametrize("name", SIZES)
def test_ht_1_sizes_have_bounds(front, name):
    """HT-1: URL, number and size of header fields, declared body."""
    text, status = SIZES[name]
    answer = front.edge.say(text, source=SOURCE, is_patient=False)
    assert answer.status == status
    if status != 200:
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.code


@pytest.mark.parametrize(
    "more",
    [
        [(f"x-{number}", "x") for number in range(110)],
        [(f"x-{number}", "a" * 4_000) for number in range(5)],
        [("x-long", "a" * 9_000)],
    ],
    ids=["many", "large", "long"],
)
def test_ht_1_header_bounds_hold_in_http_2(front, more):
    """HT-1: the same number and sizes; compressed fields are counted as they unfold."""
    header = raw_h2.fields("GET", OPEN, *more)
    before = front.counts()
    edge = front.edge
    answer = raw_h2.ask(edge.trust(), edge.port("edge_tls"), header)
    assert answer.is_refused or answer.status in {400, 431}
    assert front.counts()["requests"] == before["requests"]


def test_ht_1_a_body_that_does_not_end_costs_no_memory(front, gateway_process):
    """HT-1: of chunks without end nothing is kept, in nginx and gateway alike."""
    watched = [psutil.Process(pid) for pid in front.edge.workers()]
    watched.append(psutil.Process(gateway_process[2]))
    before = [process.memory_info().rss for process in watched]
    head = post(OPEN, "Transfer-Encoding: chunked\r\n").encode()
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    for _ in range(5):
        sent, answer = 0, b""
        place = (HOST, front.edge.port())
        with socket.create_connection(place, 10, (SOURCE, 0)) as client:
            client.sendall(head)
            try:
                while sent < 64 * MIB:
                    client.sendall(chunk)
                    sent += len(chunk)
            except OSError:
                pass
            try:
                answer = client.recv(65_536)
            except OSError:
                answer = b""
        assert not answer or parsed(answer).status == 413
    for process, bytes_before in zip(watched, before, strict=True):
        assert process.memory_info().rss - bytes_before < GROWTH_MAX_BYTES


def test_ht_2_a_refused_body_is_not_read_for_long(front):
    """HT-2: who goes on dripping after a 413 is closed all the same."""
    place = (HOST, front.edge.port())
    with socket.create_connection(place, 10, (SOURCE, 0)) as client:
        client.sendall(post(OPEN, f"Content-Length: {2 * MIB}\r\n").encode())
        began = time.monotonic()
        try:
            while time.monotonic() - began < 12:
                client.sendall(b"x")
                time.sleep(0.3)
        except OSError:
            pass
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("length", [66_000, 300_000, MIB])
def test_ht_1_a_refusal_is_heard_while_the_body_still_comes(front, length):
    """HT-1: who is refused early learns why, and is not told of an outage."""
    for path, status in (("/api/v1/projects", 401), ("/api/v1/nothing", 404)):
        text = post(path, f"Content-Length: {length}\r\n", "x" * length)
        answers = [
            front.edge.say(text, source=SOURCE, is_patient=False).status
            for _ in range(15)
        ]
        assert set(answers) == {status}


@pytest.mark.parametrize("length", [66_000, MIB])
def test_ht_1_a_service_is_heard_while_the_body_still_comes(front, length):
    """HT-1: who is refused by a service that reads no body learns why too."""
    text = post(
        "/api/v1/media/open/early", f"Content-Length: {length}\r\n", "x" * length
    )
    answers = [
        front.edge.say(text, source=SOURCE, is_patient=False).status for _ in range(15)
    ]
    assert set(answers) == {413}
