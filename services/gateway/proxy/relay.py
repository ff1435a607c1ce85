"""A service's response, passed to the client."""

import asyncio
import time

import orjson
import structlog

from libs.chassis.asgi import Headers, Send
from services.gateway.domain.errors import AnswerUnreadError, UpstreamFailedError
from services.gateway.domain.headers import response_headers
from services.gateway.domain.limits import limit_headers
from services.gateway.domain.route import Route
from services.gateway.proxy.answer import Answer
from services.gateway.proxy.exchange import Exchange

_WHOLE_MAX_BYTES = 65_536
# The edge takes what its client has room for and 64 KiB more, then waits (HT-2).
_READ_SECONDS = 5.0
_LEAST_BYTES_PER_SECOND = 4_096
_UNAUTHENTICATED = 401
_SERVER_ERROR = 500
_OWN_TOKEN_REFUSED = "internal_token_invalid"  # noqa: S105 - a code
_PROBLEM_TYPE = "application/problem+json"

logger = structlog.get_logger()


async def relay_response(
    answer: Answer, route: Route, exchange: Exchange, send: Send
) -> None:
    """Send a service's response on, holding at most one part of it in memory.

    Raises:
        UpstreamFailedError: A server error that is no problem of ours: its text could
            tell what nobody outside should know; or the service refused the gateway's
            own token, which no client can mend. Nothing was sent.
        AnswerUnreadError: The client takes a large answer too slowly.
        BrokenOffError, TimeoutError: The service broke off.
    """
    exchange.upstream_seconds = time.perf_counter() - exchange.asked_at
    length = answer.content_length
    is_whole = length is not None and length <= _WHOLE_MAX_BYTES
    if answer.status == _UNAUTHENTICATED or answer.status >= _SERVER_ERROR:
        await _check_problem(answer, route, is_whole=is_whole)
    headers = _headers(answer, route, exchange)
    if exchange.limits is not None:
        headers.extend(limit_headers(exchange.limits))
    if is_whole or exchange.method == "HEAD":
        body = await answer.read()
        await _start(exchange, answer.status, headers, send)
        exchange.sent_bytes = len(body)
        await send({"type": "http.response.body", "body": body})
        return
    await _start(exchange, answer.status, headers, send)
    async for part in answer.parts():
        await _pass(part, send)
        exchange.sent_bytes += len(part)
    await send({"type": "http.response.body", "body": b""})


async def _pass(part: bytes, send: Send) -> None:
    """Send a part of a body on to a client that may take its time, but not any.

    Raises:
        AnswerUnreadError: It takes less than the least rate (HT-2).
    """
    try:
        async with asyncio.timeout(_READ_SECONDS + len(part) / _LEAST_BYTES_PER_SECOND):
            await send({"type": "http.response.body", "body": part, "more_body": True})
    except TimeoutError:
        raise AnswerUnreadError from None


def _headers(answer: Answer, route: Route, exchange: Exchange) -> Headers:
    headers = response_headers(answer.headers, has_cookies=route.has_cookies)
    if route.response_headers is not None:
        headers = route.response_headers.apply(headers)
    if route.target_prefix is not None:
        headers = [
            (name, route.outside(value) if name == b"location" else value)
            for name, value in headers
        ]
    return headers + exchange.own_headers()


async def _start(exchange: Exchange, status: int, headers: Headers, send: Send) -> None:
    exchange.status = status
    exchange.is_started = True
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _check_problem(answer: Answer, route: Route, *, is_whole: bool) -> None:
    failed = UpstreamFailedError(route.service)
    if not is_whole or answer.content_type != _PROBLEM_TYPE:
        raise failed
    try:
        problem = orjson.loads(await answer.read())
    except orjson.JSONDecodeError:
        raise failed from None
    code = problem.get("code") if isinstance(problem, dict) else None
    if not isinstance(code, str):
        raise failed
    if code == _OWN_TOKEN_REFUSED:
        logger.error("internal_token_refused", upstream=route.service)
        raise failed
