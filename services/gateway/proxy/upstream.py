"""The way to the services: one connection pool, and what its failures mean."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache

import aiohttp
import structlog
from multidict import CIMultiDict
from yarl import URL

from libs.chassis.breaker import Breaker
from libs.chassis.requests import BUDGET_HEADER
from libs.kernel import UnavailableError
from services.gateway.domain.errors import (
    UNREACHED,
    ClientGoneError,
    UpstreamFailedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from services.gateway.domain.instances import Instance, Instances
from services.gateway.domain.retrying import RetryBudget, may_retry
from services.gateway.domain.routing import Route
from services.gateway.proxy.body import RequestBody

_CONNECT_SECONDS = 1.0
_POOL_WAIT_SECONDS = 2.0
_CONNECTIONS_PER_SERVICE = 256
_KEEPALIVE_SECONDS = 15.0  # less than the services' 30: the gateway closes first
_PROBE_SECONDS = 2.0
_FAILURES = (UpstreamFailedError, UpstreamUnavailableError)

logger = structlog.get_logger()


@dataclass(frozen=True)
class UpstreamRequest:
    """What is sent to a service.

    Attributes:
        route: Decides service and timeouts.
        method: As received.
        target: Path and query in wire form.
        headers: As they are to be sent.
        body: The client's body, not yet read unless it is small.
    """

    route: Route
    method: str
    target: str
    headers: CIMultiDict[str]
    body: RequestBody


class Upstreams:
    """Sends requests to services: which instance, whether at all, whether again.

    Args:
        session: The pool; follows no redirect, keeps no cookie, decodes nothing.
        instances: By service.
        new_breaker: Makes the breaker of a service, closed.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        instances: Mapping[str, Instances],
        new_breaker: Callable[[str], Breaker],
    ) -> None:
        self._session = session
        self._instances = dict(instances)
        self._new_breaker = new_breaker
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._budgets = {service: RetryBudget() for service in instances}

    @property
    def services(self) -> frozenset[str]:
        """Names that can be sent to."""
        return frozenset(self._instances)

    @asynccontextmanager
    async def answering(
        self, request: UpstreamRequest
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and yield the response when its headers are there.

        What is raised in the block counts as well: a body that breaks off is no
        answer.

        Raises:
            BodyTimeoutError, BodyTooLargeError, ClientGoneError: The client's part
                failed.
            UpstreamUnavailableError: The service cannot be reached, or is not asked
                because it has not been answering.
            UpstreamTimeoutError: It did not answer within the route's time.
            UpstreamFailedError: It broke off, or spoke no HTTP.
        """
        breaker = self._breaker(request.route)
        limit = _allowed_seconds(breaker, request.route)
        try:
            async with self._tried(request, limit) as response:
                yield response
        except (UpstreamFailedError, UpstreamTimeoutError, UpstreamUnavailableError):
            breaker.failed()
            raise
        except BaseException:
            breaker.withdrawn()  # the client's fault, or its leaving
            raise
        breaker.succeeded()

    @asynccontextmanager
    async def _tried(
        self, request: UpstreamRequest, limit: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        service = request.route.service
        instances, budget = self._instances[service], self._budgets[service]
        budget.earn()
        instance = instances.pick()
        try:
            response = await self._asked(request, instance, limit)
        except _FAILURES as failure:
            other = instances.pick(beside=instance)
            # Who could not be reached has seen nothing: another one costs no retry.
            is_free = failure.code == UNREACHED and other is not instance
            if not (_may_retry(request, failure) and (is_free or budget.spend())):
                raise
            logger.info("upstream_retried", upstream=service, code=failure.code)
            instance = other
            response = await self._asked(request, instance, limit)
        try:
            async with response:
                try:
                    yield response
                except (aiohttp.ClientError, TimeoutError) as error:
                    raise upstream_failure(error, service) from error
        finally:
            instance.outstanding -= 1

    async def _asked(
        self, request: UpstreamRequest, instance: Instance, limit: float
    ) -> aiohttp.ClientResponse:
        """Return the response of one instance, which is then counted as busy."""
        service = request.route.service
        instances = self._instances[service]
        instance.outstanding += 1
        try:
            response = await self._send(request, instance, limit)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            instance.outstanding -= 1
            if request.body.failure is not None:
                raise request.body.failure from error
            instances.failed(instance)
            raise upstream_failure(error, service) from error
        except BaseException:
            instance.outstanding -= 1
            raise
        instances.answered(instance)
        return response

    async def _send(
        self, request: UpstreamRequest, instance: Instance, limit: float
    ) -> aiohttp.ClientResponse:
        route, body = request.route, request.body
        if body.is_empty:
            content = None
        elif body.is_small:
            content = await body.read()
        else:
            # A service that stops reading must not hold the upload for ever.
            whole = route.body_timeout_seconds + limit
            request.headers[BUDGET_HEADER] = _milliseconds(whole)
            async with asyncio.timeout(whole):
                return await self._request(request, instance, limit, body.stream())
        request.headers[BUDGET_HEADER] = _milliseconds(limit)
        return await self._request(request, instance, limit, content)

    async def _request(
        self,
        request: UpstreamRequest,
        instance: Instance,
        limit: float,
        content: bytes | AsyncIterator[bytes] | None,
    ) -> aiohttp.ClientResponse:
        return await self._session.request(
            request.method,
            URL(instance.base_url + request.target, encoded=True),
            headers=request.headers,
            data=content,
            allow_redirects=False,
            timeout=_timeout(limit),
        )

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
    """Open the connection pool; leaving closes every connection."""
    connector = aiohttp.TCPConnector(
        limit=0,
        limit_per_host=_CONNECTIONS_PER_SERVICE,
        keepalive_timeout=_KEEPALIVE_SECONDS,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        trust_env=False,
        max_line_size=16_384,
        max_field_size=16_384,
    ) as session:
        # Or aiohttp would send again by itself, beside the budget; its own test client
        # switches it off so, there is no parameter.
        session._retry_connection = False  # noqa: SLF001 - see above
        yield Upstreams(session, instances, new_breaker)


def upstream_failure(error: Exception, service: str) -> Exception:
    """Return what a failure of the client library means to the caller."""
    if isinstance(error, ClientGoneError):
        return error
    if isinstance(error, TimeoutError):
        return UpstreamTimeoutError(service)
    if isinstance(error, aiohttp.ClientConnectorError):
        return UpstreamUnavailableError(service)
    return UpstreamFailedError(service)


def _allowed_seconds(breaker: Breaker, route: Route) -> float:
    """Return how long the service may take, if it is asked at all."""
    try:
        is_probe = breaker.check()
    except UnavailableError:
        raise UpstreamUnavailableError(route.service) from None
    # Others wait for what the probe finds out.
    return min(route.timeout_seconds, _PROBE_SECONDS if is_probe else math.inf)


def _may_retry(request: UpstreamRequest, failure: UnavailableError) -> bool:
    body = request.body
    return may_retry(
        request.method,
        failure,
        is_idempotent=request.route.is_idempotent,
        is_resendable=body.is_empty or body.is_small,
    )


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1_000))


@cache
def _timeout(read_seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=None,
        connect=_POOL_WAIT_SECONDS,
        sock_connect=_CONNECT_SECONDS,
        sock_read=read_seconds,
    )
