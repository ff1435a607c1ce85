"""Whom the gateway believes about a client."""

import pytest

from services.gateway.domain.networks import NetworkList
from services.gateway.proxy.trust import Edge

UUID = "0193a5c4-7f1e-7abc-8def-0123456789ab"
REQUEST_ID = b"0123456789abcdef0123456789abcdef"


def caller_of(peer: str | None, *headers: tuple[bytes, bytes]):
    """Return what an edge on loopback is believed."""
    edge = Edge(NetworkList(["127.0.0.0/8", "::1/128"]))
    client = None if peer is None else (peer, 1)
    return edge.caller({"client": client, "headers": list(headers)})


def test_the_edges_last_word_is_the_client() -> None:
    """RL-5: what stands before the last comma is the client's own claim."""
    caller = caller_of("127.0.0.1", (b"x-forwarded-for", b"6.6.6.6, 192.0.2.7"))
    assert (caller.address, caller.network) == ("192.0.2.7", "192.0.2.7")


def test_a_foreign_peer_is_believed_nothing() -> None:
    """Around the edge neither address nor id can be chosen."""
    caller = caller_of(
        "203.0.113.9",
        (b"x-forwarded-for", b"192.0.2.7"),
        (b"x-request-id", REQUEST_ID),
    )
    assert (caller.address, caller.request_id) == ("203.0.113.9", None)


@pytest.mark.parametrize(
    "value", [b"", b"unknown", b"192.0.2.7, evil", b"[::1]:80", b"\xff", b"1.2.3.4:80"]
)
def test_an_address_that_is_none_is_not_taken(value: bytes) -> None:
    """Rubbish never becomes a key in Redis; the peer counts then."""
    caller = caller_of("127.0.0.1", (b"x-forwarded-for", value))
    assert caller.address == "127.0.0.1"


def test_limits_count_networks_of_ipv6() -> None:
    """A household has 2^64 addresses and one limit; mapped IPv4 is IPv4."""
    caller = caller_of("::1", (b"x-forwarded-for", b"2001:db8:1:2:3:4:5:6"))
    assert caller.address == "2001:db8:1:2:3:4:5:6"
    assert caller.network == "2001:db8:1:2::/64"
    mapped = caller_of("::1", (b"x-forwarded-for", b"::ffff:192.0.2.7"))
    assert mapped.network == "192.0.2.7"


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        (REQUEST_ID, REQUEST_ID.decode()),
        (
            b"0193a5c4-7f1e-7abc-8def-0123456789ab",
            "0193a5c4-7f1e-7abc-8def-0123456789ab",
        ),
        (b"short", None),
        (b"x" * 65, None),
        (b"0123456789abcdef\x1b[31m", None),
        (b"0123456789abcdef 123", None),
    ],
)
def test_a_request_id_has_a_form(value: bytes, taken: str | None) -> None:
    """AU-3: what goes into every log line is letters and digits."""
    assert caller_of("127.0.0.1", (b"x-request-id", value)).request_id == taken


def test_a_request_without_a_peer_is_from_nobody() -> None:
    """ASGI allows no client address, for example on a Unix socket."""
    caller = caller_of(None, (b"x-forwarded-for", b"192.0.2.7"))
    assert (caller.address, caller.network) == ("unknown", "unknown")
