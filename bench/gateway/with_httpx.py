"""The same gateway with httpx as its client, the peer that most would choose."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import httpx

from libs.chassis.app import run
from libs.chassis.breaker import Breaker
from services.gateway import app as gateway
from services.gateway.domain.instances import Instances
from services.gateway.proxy.front import FrontServer
from services.gateway.proxy.upstream import UpstreamRequest
from services.gateway.settings import GatewaySettings


class _Answer:
    """What the relay reads of an answer."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers = [(name.lower(), value) for name, value in response.headers.raw]
        self.content_type = response.headers.get("content-type", "")
        length = response.headers.get("content-length")
        self.content_length = None if length is None else int(length)

    async def read(self) -> bytes:
        """Return the whole body."""
        return await self._response.aread()


class _HttpxUpstreams:
    """`Upstreams` as far as this benchmark goes."""

    def __init__(
        self, client: httpx.AsyncClient, instances: Mapping[str, Instances]
    ) -> None:
        self._client = client
        self._instances = instances

    async def ask(
        self, request: UpstreamRequest, relay: Callable[[_Answer], Awaitable[None]]
    ) -> None:
        """Send a request and have its answer relayed."""
        instance = self._instances[request.route.service].pick()
        async with self._client.stream(
            request.method,
            instance.base_url + request.target,
            headers=request.headers,
        ) as response:
            await relay(_Answer(response))


@asynccontextmanager
async def _open(
    instances: Mapping[str, Instances], new_breaker: Callable[[str], Breaker]
) -> AsyncIterator[_HttpxUpstreams]:
    del new_breaker
    async with httpx.AsyncClient(timeout=5) as client:
        yield _HttpxUpstreams(client, instances)


if __name__ == "__main__":
    gateway.open_upstreams = _open  # type: ignore[attr-defined]  # the one difference
    run(gateway.create_app, GatewaySettings, FrontServer)
