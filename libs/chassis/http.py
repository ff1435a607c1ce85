"""Calls from one service to another: deadline, one retry, breaker, internal token.

A synchronous call between services is the exception and needs an ADR.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
import structlog
from opentelemetry import trace

from libs.chassis.breaker import Breaker, Leave
from libs.chassis.internal_tokens import InternalTokenSigner
from libs.chassis.payloads import JsonLimits, parse_json
from libs.chassis.principals import Principal
from libs.events.tracing import correlation_id, traceparent_of
from libs.kernel import (
    AppError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_BROKEN = 500
_REFUSED = 400
_RETRY_SECONDS = 0.05
_LIMITS = JsonLimits(body_bytes=4 * 1024 * 1024, names=10_000)
_ERRORS: Mapping[int, type[AppError]] = {
    kind.kind.value: kind
    for kind in (
        InvalidError, UnauthenticatedError, ForbiddenError, NotFoundError,
        ConflictError, GoneError, TooLargeError, RateLimitedError,
    )
}  # fmt: skip
_log = structlog.get_logger()


@dataclass(frozen=True)
class Timeouts:
    """Bounds of one call, its retry included.

    Attributes:
        connect_seconds: To open a connection.
        total_seconds: From the call to the last byte of the answer.
    """

    connect_seconds: float = 1.0
    total_seconds: float = 5.0


class ServiceClient:
    """Asks one other service, as a user or on the caller's own account.

    Used as an async context manager, or opened on first use and closed by `aclose`.

    Args:
        base_url: Internal address, for example ``http://127.0.0.1:21011``.
        signer: Signs the internal tokens of the calling service.
        audience: Name of the service that is asked.
        timeouts: See `Timeouts`.
    """

    def __init__(
        self,
        base_url: str,
        signer: InternalTokenSigner,
        audience: str,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._signer = signer
        self._audience = audience
        self._timeouts = timeouts or Timeouts()
        self._breaker = Breaker(audience)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace_: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; idempotent."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connection pool, for `jwks_over_http`; its users bring a deadline."""
        if self._session is None:
            # No total of aiohttp's own: two deadlines that end together can swallow
            # each other's cancellation, and the second try would have none.
            connect = aiohttp.ClientTimeout(
                total=None, sock_connect=self._timeouts.connect_seconds
            )
            self._session = aiohttp.ClientSession(
                timeout=connect,
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(limit=50, keepalive_timeout=20),
                auto_decompress=False,
            )
            # Or aiohttp would repeat each of our two tries; its own test client
            # switches it off so, there is no parameter.
            self._session._retry_connection = False  # noqa: SLF001 - see above
        return self._session

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        principal: Principal | None = None,
    ) -> Any:  # noqa: ANN401 - any JSON value
        """Return the parsed answer to a GET; see `request`."""
        return await self.request("GET", path, params=params, principal=principal)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        principal: Principal | None = None,
    ) -> Any:  # noqa: ANN401 - any JSON value
        """Call the service; an idempotent call is tried once more if it broke.

        Args:
            method: HTTP method.
            path: With its leading slash, segments already encoded.
            params: Query.
            json: Body, None for none.
            principal: On whose behalf; None: on the service's own account.

        Returns:
            The parsed JSON answer, None for an empty one.

        Raises:
            UnavailableError: No answer in time, status 500 or above, nonsense, or
                the breaker is open.
            AppError: Of the kind of a 4xx status, with the remote code.
        """
        tries = 2 if method in _IDEMPOTENT else 1
        leave = self._breaker.check()
        try:
            async with asyncio.timeout(self._timeouts.total_seconds):
                for left in reversed(range(tries)):
                    try:
                        return await self._try(
                            method, path, params, json, principal, leave=leave
                        )
                    except _BrokenError:
                        if not left:
                            raise
                    await asyncio.sleep(_RETRY_SECONDS)
                    leave = self._breaker.check()
        except TimeoutError:
            self._breaker.failed(leave)
            _log.warning("service_call_timed_out", service_called=self._audience)
        except _BrokenError as error:
            _log.warning(
                "service_call_failed", service_called=self._audience, error=str(error)
            )
        raise self._unavailable()

    async def _try(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        json: object,
        principal: Principal | None,
        *,
        leave: Leave,
    ) -> Any:  # noqa: ANN401 - any JSON value
        try:
            async with self.session.request(
                method,
                self._base_url + path,
                params=params,
                data=None if json is None else orjson.dumps(json),
                headers=self._headers(principal, has_body=json is not None),
                allow_redirects=False,
            ) as response:
                status = response.status
                body = await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._breaker.failed(leave)
            raise _BrokenError(type(error).__name__) from error
        if status >= _BROKEN:
            self._breaker.failed(leave)
            raise _BrokenError(f"status {status}")
        self._breaker.succeeded(leave)
        return self._interpret(status, body)

    def _headers(
        self, principal: Principal | None, *, has_body: bool
    ) -> dict[str, str]:
        token = self._signer.token(self._audience, principal or Principal.service())
        headers = {"Authorization": f"Bearer {token}"}
        if has_body:
            headers["Content-Type"] = "application/json"
        correlation = correlation_id.get()
        if correlation:
            headers["X-Correlation-Id"] = correlation
        traceparent = traceparent_of(trace.get_current_span().get_span_context())
        if traceparent:
            headers["traceparent"] = traceparent
        return headers

    def _interpret(self, status: int, body: bytes) -> Any:  # noqa: ANN401 - any JSON value
        try:
            answer = parse_json(body, _LIMITS) if body else None
        except InvalidError:
            raise self._unavailable() from None
        if status < _REFUSED:
            return answer
        code = answer.get("code") if isinstance(answer, dict) else None
        kind = _ERRORS.get(status, InvalidError)
        raise kind(str(code or f"{self._audience}_refused"), "The service refused it.")

    def _unavailable(self) -> UnavailableError:
        return UnavailableError(
            f"{self._audience}_unavailable", "A service this needs does not answer."
        )


class _BrokenError(Exception):
    """No answer, or one that says the server is broken: worth another try."""


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        size += len(chunk)
        if size > _LIMITS.body_bytes:
            raise aiohttp.ClientPayloadError("the answer is too large")
        chunks.append(chunk)
    return b"".join(chunks)
