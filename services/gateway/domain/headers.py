"""Which headers pass, in both directions.

Hop-by-hop headers end here (RFC 9110, section 7.6.1). Nothing a client sends may
look like something that the edge or the gateway says about it (security.md RL-5).
"""

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",  # codespell:ignore te
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_REQUEST_DROPPED = _HOP_BY_HOP | {
    b"authorization",  # replaced by the internal token
    b"baggage",  # foreign words would reach every log
    b"content-length",  # set again from what was checked
    b"cookie",  # passed where the route says so
    b"expect",
    b"forwarded",
    b"host",
    b"origin",  # passed with cookies: services check it there
    b"remote-user",
    b"traceparent",  # set again from the gateway's own span
    b"tracestate",
    b"via",
}
# Browsers' and proxies' claims come as X-...; none of ours is read from a client.
_REQUEST_DROPPED_PREFIXES = (b"x-", b"cf-", b"true-client-", b"client-ip", b"sec-ch-")
_COOKIE_HEADERS = frozenset(
    # With cookies go the proofs that the web client sent them (security.md CS-1).
    {b"cookie", b"origin", b"x-parley-client", b"x-parley-csrf"}
)

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""On every response; a service's own values are replaced (security.md HD-1)."""

_RESPONSE_DROPPED = (
    _HOP_BY_HOP
    | {name for name, _ in SECURITY_HEADERS}
    | {
        b"alt-svc",
        b"server",
        b"via",
        b"x-powered-by",
        b"x-request-id",  # the gateway's own stands
    }
)
_NONE: frozenset[bytes] = frozenset()

REQUEST_RESERVED = _REQUEST_DROPPED | {
    b"x-client-address",
    b"x-client-agent",
    b"x-request-budget",
    b"x-request-id",
}
"""What only the gateway says to a service; no route changes it."""

RESPONSE_RESERVED = _RESPONSE_DROPPED | {b"content-length", b"set-cookie"}
"""What only the gateway and the service say to a client."""

_CORS_PREFIX = b"access-control-"


def request_headers(
    received: Iterable[tuple[bytes, bytes]], *, has_cookies: bool
) -> Headers:
    """Return the client's headers that a service may see.

    Args:
        received: Names in lower case, as ASGI gives them.
        has_cookies: Whether the route passes ``Cookie``.
    """
    pairs = list(received)
    named = _named_by_connection(pairs)
    return [
        (name, value)
        for name, value in pairs
        if (has_cookies and name in _COOKIE_HEADERS)
        or not (
            name in _REQUEST_DROPPED
            or name in named
            or name.startswith(_REQUEST_DROPPED_PREFIXES)
            or b"_" in name  # some read it as a dash
        )
    ]


def response_headers(
    received: Iterable[tuple[bytes, bytes]], *, has_cookies: bool
) -> Headers:
    """Return a service's headers that the client may see, security headers added.

    Same origin only: no CORS header ever passes (security.md CO-1). A response that
    does not say how long it may be kept is kept by nobody.

    Args:
        received: Names in lower case.
        has_cookies: Whether the route passes ``Set-Cookie``.
    """
    pairs = list(received)
    named = _named_by_connection(pairs)
    kept: Headers = []
    is_kept_by_nobody = True
    for pair in pairs:
        name = pair[0]
        if name in _RESPONSE_DROPPED or name in named or name.startswith(_CORS_PREFIX):
            continue
        if name == b"set-cookie" and not has_cookies:
            continue
        if name == b"cache-control":
            is_kept_by_nobody = False
        kept.append(pair)
    if is_kept_by_nobody:
        kept.append((b"cache-control", b"no-store"))
    kept.extend(SECURITY_HEADERS)
    return kept


def first(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """Return the first value of a header, or None."""
    for key, value in headers:
        if key == name:
            return value
    return None


def _named_by_connection(pairs: Headers) -> frozenset[bytes]:
    """Return the headers that ``Connection`` declares to be hop-by-hop."""
    values = [value for name, value in pairs if name == b"connection"]
    if not values or values == [b"keep-alive"]:
        return _NONE
    named = {token.strip().lower() for value in values for token in value.split(b",")}
    # A client must not use it to take away what the gateway relies on.
    return frozenset(named - {b"content-type", b"content-length", b"cookie"})
