"""Errors at the HTTP edge: ``application/problem+json`` (RFC 9457; ADR 0010).

The only place that turns an error's kind into a status. `problem_of` and
`send_problem` need no framework, so the gateway uses them as they are.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from typing import Any

import orjson
from opentelemetry import trace
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from libs.chassis import mongo, redis
from libs.chassis.asgi import Headers, Send, send_response
from libs.kernel import AppError, ErrorKind, UnavailableError

CONTENT_TYPE = b"application/problem+json"
_MAX_ERRORS = 20
_MAX_PATH = 100
_RETRY_UNAVAILABLE_SECONDS = 1
# A validator's sentence that quotes the input is replaced by one of ours.
_QUIET_MESSAGES = {
    "union_tag_invalid": "Input has an unknown kind",
    "json_invalid": "Input is not valid JSON",
    "extra_forbidden": "This field is not known",
}


class HttpError(Exception):
    """A failure that exists only in HTTP: 415, 431, 504 and the like.

    The core raises `AppError`; this is for what stands before and around it.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Problem:
    """An error response, ready to send."""

    status: int
    code: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def problem_of(error: AppError) -> Problem:
    """Turn an expected error into its response."""
    headers: Headers = []
    seconds = error.retry_after_seconds
    if seconds is None and error.kind is ErrorKind.UNAVAILABLE:
        seconds = _RETRY_UNAVAILABLE_SECONDS
    if seconds is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(seconds))).encode()))
    if error.kind is ErrorKind.UNAUTHENTICATED:
        headers.append((b"www-authenticate", b"Bearer"))
    body = _encode(error.kind.value, error.code, error.message, error.details)
    return Problem(error.kind.value, error.code, body, tuple(headers))


def internal_problem() -> Problem:
    """Return the answer to an error that nobody expected; it tells nothing."""
    detail = "Something went wrong here; it has been logged."
    return Problem(500, "internal", _encode(500, "internal", detail, {}))


def status_problem(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """Return the answer for a status that routing decided: 404, 405 and the like."""
    codes = {404: "route_not_found", 405: "method_not_allowed", 400: "request_invalid"}
    code = codes.get(status, f"http_{status}")
    body = _encode(status, code, HTTPStatus(status).description, {})
    raw = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
    return Problem(status, code, body, tuple(raw))


def validation_problem(errors: Iterable[Mapping[str, Any]]) -> Problem:
    """Return the answer to a payload of the wrong shape.

    Args:
        errors: Pydantic's own list; its ``input`` and ``ctx`` never leave.

    Returns:
        422 ``request_invalid`` with ``errors``: at most 20 of path, code, message.
    """
    described = [_describe(error) for error in islice(errors, _MAX_ERRORS)]
    detail = "The request does not have the expected shape."
    body = _encode(422, "request_invalid", detail, {"errors": described})
    return Problem(422, "request_invalid", body)


def problem_for(error: Exception) -> Problem | None:
    """Return the answer to anything raised, None if nobody expected it."""
    if isinstance(error, HttpError):
        body = _encode(error.status, error.code, error.detail, {})
        return Problem(error.status, error.code, body)
    known = expected(error)
    return None if known is None else problem_of(known)


def expected(error: Exception) -> AppError | None:
    """Return the `AppError` that an exception at an edge stands for, if any.

    A driver's failure or a deadline that no adapter has mapped means that something
    this service needs does not answer; it is no bug of the request's code.
    """
    if isinstance(error, AppError):
        return error
    if isinstance(error, TimeoutError):
        return UnavailableError("deadline_exceeded", "It took too long.")
    if isinstance(error, PyMongoError):
        return mongo.as_unavailable(error)
    if isinstance(error, RedisError):
        return redis.as_unavailable(error)
    return None


async def send_problem(
    send: Send, problem: Problem, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send a problem as the whole response."""
    extra = [*problem.headers, *headers]
    await send_response(send, problem.status, problem.body, CONTENT_TYPE, extra)


def _describe(error: Mapping[str, Any]) -> dict[str, str]:
    path = ".".join(str(step) for step in error["loc"])
    message = _QUIET_MESSAGES.get(error["type"], error["msg"])
    return {"path": path[:_MAX_PATH], "code": error["type"], "message": message}


def _encode(
    status: int, code: str, detail: str, details: Mapping[str, object]
) -> bytes:
    body = {
        **details,
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "trace_id": current_trace_id(),
    }
    return orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)


def current_trace_id() -> str | None:
    """Return the 32 hexadecimal digits of the current trace, None outside of one."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None
