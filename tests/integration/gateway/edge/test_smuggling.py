"""HT-4 through the real edge and gateway: one request is one, for everybody."""

import json

import pytest

from tests.integration.gateway.edge.smuggling_table import (
    ATTACKS,
    CHUNKED,
    OPEN,
    SMUGGLED,
)
from tests.support import raw_h2
from tests.support.raw_h2 import fields

pytestmark = pytest.mark.integration

HOST = "Host: 127.0.0.1\r\n"


def assert_nobody_is_hurt(front, mark):
    """Whoever asks next on the same connection to the gateway is answered alone."""
    for number in range(2):
        told = front.innocent(f"{mark}-{number}")
        assert told["target"] == f"{OPEN}?{mark}-{number}"
        assert told["method"] == "GET"
        assert not [name for name, _ in told["headers"] if name == "x"]


@pytest.mark.parametrize("name", ATTACKS)
def test_ht_4_no_second_request_is_smuggled(front, name):
    """HT-4: refused at the edge or one request, and the next client's is untouched."""
    attack = ATTACKS[name]
    before = front.counts()
    answer = front.edge.say(attack.text)
    seen = front.counts() - before
    assert answer.status in attack.statuses, answer
    assert seen["smuggled"] == 0
    assert seen["requests"] <= attack.served
    assert answer.body.count(b"HTTP/1.1 ") == 0, "a second answer"
    assert_nobody_is_hurt(front, "after")


def test_ht_4_a_body_that_nobody_read_is_no_request(front):
    """HT-4: what was refused before its body came leaves no bytes for the next one."""
    body = (SMUGGLED.partition("X: ")[0] + "\r\n") * 60
    for path in ("/api/v1/projects", "/api/v1/nothing", "/", "/style.css"):
        for length in (f"Content-Length: {len(body)}\r\n", CHUNKED):
            text = body if "Content" in length else f"{len(body):x}\r\n{body}\r\n"
            before = front.counts()
            head = f"POST {path} HTTP/1.1\r\n{HOST}{length}Connection: close\r\n\r\n"
            answer = front.edge.say(head + text, is_patient=False)
            assert 400 <= answer.status < 500
            assert front.counts()["smuggled"] == before["smuggled"]
            assert_nobody_is_hurt(front, "unread")


def test_ht_4_pipelined_requests_are_answered_in_their_order(front):
    """HT-4: several on one connection are several, each with its own answer."""
    texts = [f"GET {OPEN}?{number} HTTP/1.1\r\n{HOST}\r\n" for number in range(4)]
    body = SMUGGLED
    posted = f"POST {OPEN}?4 HTTP/1.1\r\n{HOST}Content-Length: {len(body)}\r\n"
    last = f"{posted}Connection: close\r\n\r\n{body}"
    answer = front.edge.say("".join(texts) + last)
    whole = answer.body.decode()
    places = [whole.index(f'"target": "{OPEN}?{number}"') for number in range(5)]
    assert places == sorted(places)
    assert whole.count("HTTP/1.1 200 OK") == 4  # and the first one's own head
    assert f'"body_bytes": {len(body)}' in whole
    assert front.counts()["smuggled"] == 0


def test_ht_4_a_broken_request_ends_its_pipeline(front):
    """HT-4: what follows on the connection of a malformed request is not served."""
    good = f"GET {OPEN} HTTP/1.1\r\n{HOST}\r\n"
    bad = f"POST {OPEN} HTTP/1.1\r\n{HOST}Content-Length: 5\r\n{CHUNKED}\r\n"
    before = front.counts()
    answer = front.edge.say(good + bad + good * 3)
    assert answer.status == 200
    assert (front.counts() - before)["requests"] == 1
    assert b" 400 Bad Request" in answer.body


CRLF = "x\r\nX-Evil: evil"
DOWNGRADES = {
    "length too long": (fields("POST", OPEN, ("content-length", "50")), b"hello"),
    "length too short": (fields("POST", OPEN, ("content-length", "1")), b"hello"),
    "length zero with body": (fields("POST", OPEN, ("content-length", "0")), b"hello"),
    "length no number": (fields("POST", OPEN, ("content-length", "5x")), b"hello"),
    "transfer coding": (
        fields("POST", OPEN, ("transfer-encoding", "chunked")),
        f"0\r\n\r\n{SMUGGLED}".encode(),
    ),
    "connection field": (fields("GET", OPEN, ("connection", "close, x")), None),
    "CRLF in a value": (fields("GET", OPEN, ("x-a", CRLF)), None),
    "LF in a value": (fields("GET", OPEN, ("x-a", "x\nx-evil: evil")), None),
    "NUL in a value": (fields("GET", OPEN, ("x-a", "a\0b")), None),
    "CRLF in a name": (fields("GET", OPEN, (f"x-a: {CRLF}", "x")), None),
    "colon in a name": (fields("GET", OPEN, ("x-a: b", "x")), None),
    "upper case in a name": (fields("GET", OPEN, ("X-A", "x")), None),
    "CRLF in the path": (fields("GET", f"{OPEN} HTTP/1.1\r\nX: y"), None),
    "blank in the path": (fields("GET", f"{OPEN}?a HTTP/1.1"), None),
    "path without slash": (fields("GET", "evil.example/x"), None),
    "CRLF in the method": (fields("GET / HTTP/1.1\r\nX: y\r\n", OPEN), None),
    "two paths": (fields("GET", OPEN, (":path", "/")), None),
    "two methods": (fields("GET", OPEN, (":method", "POST")), None),
    "pseudo field late": (
        [*fields("GET", OPEN, ("x-a", "b"))[1:], (":method", "GET")],
        None,
    ),
    "unknown pseudo field": (fields("GET", OPEN, (":evil", "x")), None),
    "no path": (fields("GET", OPEN)[:3], None),
    "no method": (fields("GET", OPEN)[1:], None),
    "foreign authority": (
        [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "evil"),
            (":path", OPEN),
        ],
        None,
    ),
    "authority and another host": (fields("GET", OPEN, ("host", "evil.example")), None),
    "authority with user": (
        [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "127.0.0.1@evil"),
            (":path", OPEN),
        ],
        None,
    ),
    "CONNECT": ([(":method", "CONNECT"), (":authority", "127.0.0.1:22")], None),
}


@pytest.mark.parametrize("name", DOWNGRADES)
def test_ht_4_nothing_grows_between_http_2_and_1(front, name):
    """HT-4: what HTTP/2 can carry and HTTP/1 cannot never becomes a second request."""
    header, body = DOWNGRADES[name]
    before = front.counts()
    edge = front.edge
    answer = raw_h2.ask(edge.trust(), edge.port("edge_tls"), header, body)
    seen = front.counts() - before
    assert answer.is_refused or answer.status in {200, 400, 404, 405, 408, 421}
    assert seen["smuggled"] == 0
    assert seen["requests"] <= 1  # it may have begun before its body was wrong
    if answer.status == 200:
        told = json.loads(answer.body)
        assert told["target"] == OPEN
        assert "evil" not in json.dumps(told)
    assert_nobody_is_hurt(front, "downgraded")
