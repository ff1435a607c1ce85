"""RL-5 through the real edge and gateway, and around the edge."""

import json

import pytest

from deploy.embedded.layout import HOST
from tests.integration.gateway.edge.conftest import OPEN
from tests.support.edge import say

pytestmark = pytest.mark.integration

EVIL = "6.6.6.6"
ECHO = "/api/v1/conversations/echo"
SPOOFED = [
    f"X-Forwarded-For: {EVIL}",
    f"X-Forwarded-For: {EVIL}, {EVIL}",
    f"X_Forwarded_For: {EVIL}",
    f"Forwarded: for={EVIL};host=evil;proto=evil",
    f"X-Real-IP: {EVIL}",
    f"X-Client-Address: {EVIL}",
    "X-Client-Agent: evil",
    f"X-Client-IP: {EVIL}",
    f"Client-IP: {EVIL}",
    f"True-Client-IP: {EVIL}",
    f"CF-Connecting-IP: {EVIL}",
    f"X-Cluster-Client-IP: {EVIL}",
    f"X-Originating-IP: {EVIL}",
    f"X-Remote-Addr: {EVIL}",
    f"Via: 1.1 evil, {EVIL}",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: evil",
    "X-Forwarded-Port: 666",
    "X-Forwarded-Prefix: /evil",
    "X-Original-URL: /evil",
    "X-Rewrite-URL: /evil",
    "X-HTTP-Method-Override: EVIL",
    "X-Method-Override: EVIL",
    "X-Request-Id: evil0123456789abcdef0123456789ab",
    "X-Request-Budget: 666000",
    "X-Correlation-Id: evil",
    "X-User-Id: evil",
    "X-User-Roles: evil",
    "X-Internal-Token: evil",
    "X-Internal-User: evil",
    "X-Session-Id: evil",
    "X-Scopes: evil",
    "Remote-User: evil",
    "X-Remote-User: evil",
    "X-Auth-Request-User: evil",
    "Proxy-Authorization: Basic evil",
    "Proxy-Connection: evil",
    "Baggage: user=evil",
    "Tracestate: evil=1",
    "Traceparent: evil",
    "Cookie: __Host-refresh=evil",
    "Origin: https://evil.example",
    "TE: evil",
    "Connection: x-client-address, authorization, x-request-id",
    "Connection: x-forwarded-for",
]
OURS = {"x-client-address", "x-client-agent", "x-request-budget", "x-request-id"}


def told(answer):
    """Return the headers that the service saw, by name."""
    assert answer.status == 200, answer
    return dict(json.loads(answer.body)["headers"])


def assert_untouched(seen, client=HOST):
    """What the service knows is what edge and gateway know, and nothing else."""
    text = json.dumps(seen).lower()
    assert "evil" not in text
    assert EVIL not in text
    assert "666" not in seen["x-request-budget"]
    assert seen["x-client-address"] == client
    assert {name for name in seen if name.startswith("x-")} == OURS
    assert seen["authorization"].startswith("Bearer ")


@pytest.mark.parametrize("field", SPOOFED)
def test_rl_5_what_a_client_says_of_itself_does_not_arrive(front, field):
    """RL-5: with and without a token, no claim of a client reaches a service."""
    assert_untouched(told(front.ask(ECHO, front.bearer(), field)))
    assert_untouched(told(front.ask(OPEN, field)))


def test_rl_5_all_claims_together_change_nothing(front):
    """RL-5: nor does the whole set, and the request has the edge's own id."""
    fields = [line for line in SPOOFED if not line.startswith("Connection")]
    answer = front.ask(ECHO, front.bearer(), *fields)
    seen = told(answer)
    assert_untouched(seen)
    assert seen["x-request-id"] == answer.headers["x-request-id"]


def test_rl_5_around_the_edge_nobody_is_believed(front):
    """RL-5: a peer that is not the edge speaks for itself alone, whatever it says."""
    text = "\r\n".join(
        [
            f"GET {OPEN} HTTP/1.1",
            "Host: gateway",
            "Connection: close",
            *(line for line in SPOOFED if not line.startswith("Connection")),
            "",
            "",
        ]
    )
    answer = say(front.gateway_port, text, source="127.0.0.2", is_patient=False)
    seen = told(answer)
    assert_untouched(seen, client="127.0.0.2")
