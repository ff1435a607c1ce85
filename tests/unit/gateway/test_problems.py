"""Errors as clients see them, and what failures of the client library mean."""

import json

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from libs.kernel import UnavailableError
from services.gateway.domain.errors import (
    BodyTimeoutError,
    BodyTooLargeError,
    ClientGoneError,
    MethodNotAllowedError,
    PathInvalidError,
    RouteNotFoundError,
    TokenRefusedError,
    TooManyRequestsError,
    UpstreamFailedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from services.gateway.proxy.answer import BrokenOffError, NotReachedError
from services.gateway.proxy.problems import problem_for
from services.gateway.proxy.upstream import upstream_failure


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (PathInvalidError(), 400, "path_invalid"),
        (ClientGoneError(), 400, "request_broken_off"),
        (TokenRefusedError("token_expired", "x"), 401, "token_expired"),
        (RouteNotFoundError(), 404, "route_not_found"),
        (MethodNotAllowedError(["GET"]), 405, "method_not_allowed"),
        (BodyTimeoutError(), 408, "request_timeout"),
        (BodyTooLargeError(7), 413, "body_too_large"),
        (TooManyRequestsError(0.2, "user"), 429, "rate_limited"),
        (LookupError("secret"), 500, "internal"),
        (UpstreamFailedError("chat"), 502, "upstream_error"),
        (UpstreamUnavailableError("chat"), 503, "upstream_unavailable"),
        (UnavailableError("limits_unavailable", "x"), 503, "limits_unavailable"),
        (RedisConnectionError("redis://u:secret@h"), 503, "cache_unavailable"),
        (UpstreamTimeoutError("chat"), 504, "upstream_timeout"),
    ],
)
def test_an_error_has_its_status_and_code(
    error: Exception, status: int, code: str
) -> None:
    """In the status line and in the body, and nothing else of it."""
    problem = problem_for(error)
    body = json.loads(problem.body)
    assert (problem.status, body["status"], body["code"]) == (status, status, code)
    assert b"secret" not in problem.body
    assert body["title"]


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (MethodNotAllowedError(["GET", "POST"]), (b"allow", b"GET, POST")),
        (TooManyRequestsError(0.2, "user"), (b"retry-after", b"1")),
        (TooManyRequestsError(6.1, "user"), (b"retry-after", b"7")),
        (UpstreamUnavailableError("chat"), (b"retry-after", b"1")),
        (BodyTimeoutError(), (b"connection", b"close")),
        (
            TokenRefusedError("token_missing", "x"),
            (b"www-authenticate", b"Bearer"),
        ),
        (
            TokenRefusedError("session_revoked", "x"),
            (b"www-authenticate", b'Bearer error="invalid_token"'),
        ),
    ],
)
def test_an_error_says_what_to_do(
    error: Exception, header: tuple[bytes, bytes]
) -> None:
    """Allow, Retry-After rounded up, WWW-Authenticate (RFC 6750)."""
    assert header in problem_for(error).headers


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), UpstreamTimeoutError),
        (NotReachedError("refused"), UpstreamUnavailableError),
        (BrokenOffError("closed"), UpstreamFailedError),
    ],
)
def test_a_failure_of_a_connection_is_one_of_ours(
    error: Exception, kind: type[Exception]
) -> None:
    """502, 503, 504: the client learns where it broke, not how."""
    assert isinstance(upstream_failure(error, "chat"), kind)
