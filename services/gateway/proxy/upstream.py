"""The way to the services: one connection pool, and what its failures mean."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from services.gateway.domain.errors import (
    ClientGoneError,
    UpstreamFailedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from services.gateway.domain.routing import Route
from services.gateway.proxy.body import RequestBody

_CONNECT_SECONDS = 1.0
_POOL_WAIT_SECONDS = 2.0
_CONNECTIONS_PER_SERVICE = 256
_KEEPALIVE_SECONDS = 15.0  # less than the services' 30: the gateway closes first


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
    """Sends requests to services.

    Args:
        session: The pool; follows no redirect, keeps no cookie, decodes nothing.
        base_urls: By service.
    """

    def __init__(
        self, session: aiohttp.ClientSession, base_urls: Mapping[str, str]
    ) -> None:
        self._session = session
        self._base_urls = {
            service: base_url.rstrip("/") for service, base_url in base_urls.items()
        }

    @property
    def services(self) -> frozenset[str]:
        """Names that can be sent to."""
        return frozenset(self._base_urls)

    async def send(self, request: UpstreamRequest) -> aiohttp.ClientResponse:
        """Send a request and return the response when its headers are there.

        The caller closes the response.

        Raises:
            BodyTimeoutError, BodyTooLargeError, ClientGoneError: The client's part
                failed.
            UpstreamUnavailableError: The service cannot be reached.
            UpstreamTimeoutError: It did not answer within the route's time.
            UpstreamFailedError: It broke off, or spoke no HTTP.
        """
        service = request.route.service
        try:
            return await self._send(request)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            failure = request.body.failure
            if failure is not None:
                raise failure from error
            raise upstream_failure(error, service) from error

    async def _send(self, request: UpstreamRequest) -> aiohttp.ClientResponse:
        route, body = request.route, request.body
        if body.is_empty:
            content = None
        elif body.is_small:
            content = await body.read()
        else:
            # A service that stops reading must not hold the upload for ever.
            limit = route.body_timeout_seconds + route.timeout_seconds
            async with asyncio.timeout(limit):
                return await self._request(request, body.stream())
        return await self._request(request, content)

    async def _request(
        self, request: UpstreamRequest, content: bytes | AsyncIterator[bytes] | None
    ) -> aiohttp.ClientResponse:
        base = self._base_urls[request.route.service]
        return await self._session.request(
            request.method,
            URL(base + request.target, encoded=True),
            headers=request.headers,
            data=content,
            allow_redirects=False,
            timeout=_timeout(request.route.timeout_seconds),
        )


@asynccontextmanager
async def open_upstreams(base_urls: Mapping[str, str]) -> AsyncIterator[Upstreams]:
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
        yield Upstreams(session, base_urls)


def upstream_failure(error: Exception, service: str) -> Exception:
    """Return what a failure of the client library means to the caller."""
    if isinstance(error, ClientGoneError):
        return error
    if isinstance(error, TimeoutError):
        return UpstreamTimeoutError(service)
    if isinstance(error, aiohttp.ClientConnectorError):
        return UpstreamUnavailableError(service)
    return UpstreamFailedError(service)


@cache
def _timeout(read_seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=None,
        connect=_POOL_WAIT_SECONDS,
        sock_connect=_CONNECT_SECONDS,
        sock_read=read_seconds,
    )
