"""The way to the services: which instance, whether at all, whether again."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from libs.chassis.asgi import Headers
from libs.chassis.breaker import Breaker, Leave
from libs.chassis.requests import BUDGET_HEADER
from libs.kernel import InvalidError, UnavailableError
from services.gateway.domain.errors import (
    UNREACHED,
    UpstreamFailedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from services.gateway.domain.instances import Instance, Instances
from services.gateway.domain.retrying import RetryBudget, may_retry
from services.gateway.domain.route import Route
from services.gateway.proxy.answer import (
    Answer,
    BrokenOffError,
    NotReachedError,
    Times,
)
from services.gateway.proxy.body import RequestBody
from services.gateway.proxy.connection import Connection
from services.gateway.proxy.pool import Pool, open_pool

_PROBE_SECONDS = 2.0
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_BUDGET_NAME = BUDGET_HEADER.lower().encode()
_BROKEN = (BrokenOffError, NotReachedError, TimeoutError)
Relay = Callable[[Answer], Awaitable[None]]
_FAILURES = (UpstreamFailedError, UpstreamUnavailableError)

logger = structlog.get_logger()


@dataclass(slots=True)
class UpstreamRequest:
    """What is sent to a service.

    Attributes:
        route: Decides service and timeouts.
        method: As received.
        target: Path and query in wire form.
        headers: As they are to be sent; those of the body and ``Host`` are added.
        body: The client's body, not yet read unless it is small.
        has_begun: Whether a service's answer has.
    """

    route: Route
    method: str
    target: str
    headers: Headers
    body: RequestBody
    has_begun: bool = False

    def head(self, host: bytes, seconds: float) -> bytes:
        """Return request line and headers as they are sent.

        Args:
            host: Of the instance.
            seconds: The time in which it may begin to answer.

        Raises:
            InvalidError: A value would end its line; granian lets none through.
        """
        lines = [f"{self.method} {self.target} HTTP/1.1".encode("ascii")]
        lines.append(b"host: " + host)
        lines += [b"%b: %b" % pair for pair in self.headers]
        lines.append(b"%b: %d" % (_BUDGET_NAME, seconds * 1_000))
        if not self.body.is_empty or self.method in _WITH_BODY:
            lines.append(self._framing())
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
            raise InvalidError("header_invalid", "A header holds a line break.")
        return head

    def _framing(self) -> bytes:
        if self.body.is_empty:
            return b"content-length: 0"  # RFC 9110, section 8.6
        if self.body.declared_bytes is None:
            return b"transfer-encoding: chunked"
        return b"content-length: %d" % self.body.declared_bytes


class Upstreams:
    """Sends requests to services.

    Args:
        pool: The connections.
        instances: By service.
        new_breaker: Makes the breaker of a service, closed.
    """

    def __init__(
        self,
        pool: Pool,
        instances: Mapping[str, Instances],
        new_breaker: Callable[[str], Breaker],
    ) -> None:
        self._pool = pool
        self._instances = dict(instances)
        self._new_breaker = new_breaker
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._budgets = {service: RetryBudget() for service in instances}

    async def ask(self, request: UpstreamRequest, relay: Relay) -> None:
        """Send a request and have its answer relayed when its headers are there.

        What is raised by `relay` counts as well: a body that breaks off is no answer.

        Raises:
            BodyTimeoutError, BodyTooLargeError, ClientGoneError: The client's part
                failed.
            UpstreamUnavailableError: The service cannot be reached, or is not asked
                because it has not been answering.
            UpstreamTimeoutError: It did not answer within the route's time.
            UpstreamFailedError: It broke off, or spoke no HTTP.
        """
        breaker = self._breaker(request.route)
        leave = _leave(breaker, request.route)
        # Others wait for what a probe finds out.
        longest = _PROBE_SECONDS if leave.is_probe else math.inf
        limit = min(request.route.timeout_seconds, longest)
        try:
            await self._try(request, limit, relay)
        except (UpstreamFailedError, UpstreamTimeoutError, UpstreamUnavailableError):
            breaker.failed(leave)
            raise
        except BaseException:
            breaker.withdrawn(leave)  # the client's fault, or its leaving
            raise
        breaker.succeeded(leave)

    async def _try(self, request: UpstreamRequest, limit: float, relay: Relay) -> None:
        """Ask one instance, and another one if the first has not begun to answer."""
        service = request.route.service
        instances, budget = self._instances[service], self._budgets[service]
        budget.earn()
        instance = instances.pick()
        try:
            await self._ask(request, instance, limit, relay)
        except _FAILURES as failure:
            other = instances.pick(beside=instance)
            # Who could not be reached has seen nothing: another one costs no retry.
            is_free = failure.code == UNREACHED and other is not instance
            if not (_may_retry(request, failure) and (is_free or budget.spend())):
                raise
            logger.info("upstream_retried", upstream=service, code=failure.code)
        else:
            return
        await self._ask(request, other, limit, relay)

    async def _ask(
        self, request: UpstreamRequest, instance: Instance, limit: float, relay: Relay
    ) -> None:
        service, body = request.route.service, request.body
        instances = self._instances[service]
        # A client may take its time: no connection waits for it.
        content = await body.read() if body.is_small else body.stream()
        origin = self._pool.origin(instance.base_url)
        with instance:
            try:
                connection = await origin.take()
                try:
                    answer = await _send(request, content, connection, limit)
                    request.has_begun = True
                    instances.answered(instance)
                    if not answer.is_reusable:
                        instances.leaves(instance)
                        origin.close_idle()
                    await relay(answer)
                finally:
                    origin.give_back(connection)
            except _BROKEN as error:
                if body.failure is not None:
                    raise body.failure from error
                if not request.has_begun:
                    instances.failed(instance)
                raise upstream_failure(error, service) from error

    def _breaker(self, route: Route) -> Breaker:
        key = (route.service, route.limit_class)
        breaker = self._breakers.get(key)
        if breaker is None:
            breaker = self._breakers[key] = self._new_breaker(route.service)
        return breaker


@asynccontextmanager
async def open_upstreams(
    instances: Mapping[str, Instances], new_breaker: Callable[[str], Breaker]
) -> AsyncIterator[Upstreams]:
    """Open the way to the services; leaving closes every connection."""
    async with open_pool() as pool:
        yield Upstreams(pool, instances, new_breaker)


def upstream_failure(error: Exception, service: str) -> Exception:
    """Return what a failure of a connection means to the caller."""
    if isinstance(error, TimeoutError):
        return UpstreamTimeoutError(service)
    if isinstance(error, NotReachedError):
        return UpstreamUnavailableError(service)
    return UpstreamFailedError(service)


async def _send(
    request: UpstreamRequest,
    content: bytes | AsyncIterator[bytes],
    connection: Connection,
    limit: float,
) -> Answer:
    is_bodiless = request.method == "HEAD"
    times = Times(limit, request.route.answer_timeout_seconds)
    if isinstance(content, bytes):
        head = request.head(connection.host, limit)
        return await connection.ask(head, content, times, is_bodiless=is_bodiless)
    # A service that stops reading must not hold the upload for ever.
    whole = request.route.body_timeout_seconds + limit
    async with asyncio.timeout(whole):
        return await connection.ask(
            request.head(connection.host, whole),
            content,
            times,
            is_chunked=request.body.declared_bytes is None,
            is_bodiless=is_bodiless,
        )


def _leave(breaker: Breaker, route: Route) -> Leave:
    try:
        return breaker.check()
    except UnavailableError:
        raise UpstreamUnavailableError(route.service) from None


def _may_retry(request: UpstreamRequest, failure: UnavailableError) -> bool:
    body = request.body
    return may_retry(
        request.method,
        failure,
        is_idempotent=request.route.is_idempotent,
        is_resendable=body.is_small and not request.has_begun,
    )
