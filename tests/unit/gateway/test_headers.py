"""Headers: hop by hop ends here, and nobody outside says who somebody is."""

import pytest

from services.gateway.domain.headers import (
    SECURITY_HEADERS,
    request_headers,
    response_headers,
)

SPOOFED = [
    b"authorization",
    b"x-request-id",
    b"x-client-address",
    b"x-client-agent",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-real-ip",
    b"x-user-id",
    b"x-internal-token",
    b"x-correlation-id",
    b"x-original-url",
    b"x-http-method-override",
    b"forwarded",
    b"via",
    b"traceparent",
    b"tracestate",
    b"baggage",
    b"remote-user",
    b"cf-connecting-ip",
    b"true-client-ip",
    b"host",
    b"cookie",
    b"transfer-encoding",
    b"connection",
    b"te",  # codespell:ignore te
    b"upgrade",
    b"expect",
    b"proxy-authorization",
    b"client_address",
    b"content_length",
]


@pytest.mark.parametrize("name", SPOOFED)
def test_a_header_that_claims_something_does_not_pass(name: bytes) -> None:
    """What the edge or the gateway says, no client says."""
    assert request_headers([(name, b"evil")], has_cookies=False) == []


def test_what_describes_the_content_passes_in_order() -> None:
    """Ordinary headers reach the service as they were sent."""
    headers = [
        (b"accept", b"application/json"),
        (b"content-type", b"application/json"),
        (b"accept-language", b"de"),
        (b"accept-language", b"en"),
        (b"user-agent", b"probe"),
        (b"idempotency-key", b"k"),
        (b"if-none-match", b'"1"'),
        (b"range", b"bytes=0-1"),
        (b"sec-fetch-site", b"same-origin"),
    ]
    assert request_headers(headers, has_cookies=False) == headers


def test_cookies_pass_only_where_the_route_says_so() -> None:
    """Cookie and Origin belong together and to auth."""
    headers = [(b"cookie", b"a=b"), (b"origin", b"https://chat.example")]
    assert request_headers(headers, has_cookies=True) == headers
    assert request_headers(headers, has_cookies=False) == []


def test_a_header_that_connection_names_ends_here() -> None:
    """RFC 9110 7.6.1: what Connection lists is hop-by-hop."""
    headers = [(b"connection", b"close, Accept-Language"), (b"accept-language", b"de")]
    assert request_headers(headers, has_cookies=False) == []


def test_connection_cannot_take_the_content_type_away() -> None:
    """A client must not strip what the gateway relies on."""
    headers = [(b"connection", b"content-type"), (b"content-type", b"text/plain")]
    assert request_headers(headers, has_cookies=False) == [headers[1]]


def test_a_response_gets_every_security_header_once() -> None:
    """A service's own value is replaced, not doubled."""
    received = [(b"content-security-policy", b"default-src *"), (b"etag", b'"1"')]
    sent = response_headers(received, has_cookies=False)
    for pair in SECURITY_HEADERS:
        assert sent.count(pair) == 1
    assert [name for name, _ in sent].count(b"content-security-policy") == 1
    assert (b"etag", b'"1"') in sent


@pytest.mark.parametrize(
    "name",
    [
        b"server",
        b"x-powered-by",
        b"access-control-allow-origin",
        b"transfer-encoding",
        b"connection",
        b"set-cookie",
        b"x-request-id",
        b"via",
    ],
)
def test_what_a_service_says_to_the_gateway_stays_there(name: bytes) -> None:
    """Versions, CORS, hop-by-hop and foreign cookies do not leave."""
    sent = response_headers([(name, b"x")], has_cookies=False)
    assert name.lower() not in {key for key, value in sent if value == b"x"}


def test_a_response_without_cache_control_is_not_kept() -> None:
    """Private unless a service says otherwise."""
    assert (b"cache-control", b"no-store") in response_headers([], has_cookies=False)
    said = (b"cache-control", b"public, max-age=60")
    sent = response_headers([said], has_cookies=False)
    assert [pair for pair in sent if pair[0] == b"cache-control"] == [said]


def test_set_cookie_passes_where_the_route_says_so() -> None:
    """Auth sets its refresh cookie through the gateway, each on its own line."""
    cookies = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    sent = response_headers(cookies, has_cookies=True)
    assert [pair for pair in sent if pair[0] == b"set-cookie"] == cookies
