"""Composition root of the gateway: a raw ASGI proxy beside a few own routes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI

from libs.chassis.app import Lifespan, create_http_app
from libs.chassis.asgi import Receive, Scope, Send
from libs.chassis.breaker import Breaker
from libs.chassis.bus import bus_settings
from libs.chassis.errors import StartError
from libs.chassis.health import Health, bus_check
from libs.chassis.http import ServiceClient
from libs.chassis.redis import open_redis, ping
from libs.chassis.security import (
    AccessTokenVerifier,
    InternalTokenSigner,
    JwksSource,
    jwks_over_http,
)
from libs.chassis.sessions import SessionWatch
from libs.chassis.tasks import TaskSupervisor
from libs.events.rabbitmq import open_bus
from libs.kernel import Clock, SystemClock
from services.gateway import api
from services.gateway.cache import open_buckets, open_replicas
from services.gateway.clients import (
    AuthTokenVerifier,
    InternalCredentials,
    PersonalTokenVerifier,
)
from services.gateway.consumers import worker
from services.gateway.domain.concurrency import Places, Shares
from services.gateway.domain.description import (
    Description,
    DescriptionError,
    parse_description,
)
from services.gateway.domain.instances import Instances
from services.gateway.domain.networks import NetworkList
from services.gateway.domain.routing import RouteTable, RouteTableError, parse_routes
from services.gateway.proxy import (
    Discovery,
    Edge,
    Proxy,
    Upstreams,
    gateway_replicas,
    open_upstreams,
    under_way,
)
from services.gateway.service import Authenticator, Limiter
from services.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from redis.asyncio import Redis

_OWN_ROUTES_FILE = Path(__file__).with_name("routes.json")
_DESCRIPTION_FILE = Path(__file__).with_name("openapi.json")
OWN_PATHS = frozenset(
    {
        "/api/v1/openapi.json",
        "/api/v1/status",
        "/health",
        "/health/live",
        "/health/ready",
        "/metrics",
    }
)
_JWKS_PATH = "/api/v1/auth/jwks.json"


class GatewayState(api.OwnState):
    """What the lifespan yields; it becomes ``scope["state"]``."""

    proxy: Proxy


class Gateway:
    """ASGI: the gateway's own few paths, and the proxy for all others.

    Attributes:
        health: Read by the server loop when it drains.
    """

    def __init__(self, own: FastAPI, health: Health) -> None:
        self._own = own
        self.health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "http" and scope["path"] not in OWN_PATHS:
            proxy: Proxy = scope["state"]["proxy"]
            await proxy(scope, receive, send)
        else:
            await self._own(scope, receive, send)


def create_app(settings: GatewaySettings) -> Gateway:
    """Return the gateway; its lifespan opens what it needs.

    Raises:
        StartError: The routing table or the API's description is wrong.
    """
    health = Health()
    table, description = _read_table(settings), _read_description()
    own = create_http_app(
        settings,
        lifespan=_lifespan(settings, health, table, description),
        routers=[api.router],
        title="Parley gateway",
        health=health,
    )
    return Gateway(own, health)


def _lifespan(
    settings: GatewaySettings,
    health: Health,
    table: RouteTable,
    description: Description,
) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[GatewayState]:
        async with AsyncExitStack() as stack:
            proxy = await _open_proxy(settings, health, table, stack)
            yield GatewayState(proxy=proxy, description=description)

    return lifespan


async def _open_proxy(
    settings: GatewaySettings,
    health: Health,
    table: RouteTable,
    stack: AsyncExitStack,
) -> Proxy:
    """Open what the proxy needs; the stack closes it, last opened first."""
    clock = SystemClock()
    signer = InternalTokenSigner(settings.internal_key_file, "gateway")
    redis = await stack.enter_async_context(open_redis(settings))
    health.add("redis", lambda: ping(redis), is_critical=False)
    auth_url = settings.upstream_urls()["auth"][0]
    auth = await stack.enter_async_context(ServiceClient(auth_url, signer, "auth"))
    watch = await stack.enter_async_context(SessionWatch(redis, auth, clock).run())
    health.add("sessions", watch.check, is_critical=False)
    await _listen(settings, health, watch, stack)
    keys = JwksSource(
        jwks_over_http(auth.session, auth_url + _JWKS_PATH),
        clock,
        settings.keys_fresh_seconds,
    )
    stack.push_async_callback(keys.aclose)
    verifier = AccessTokenVerifier(keys, settings.issuer, clock)
    upstreams = await _open_upstreams(settings, clock, stack)
    return Proxy(
        table=table,
        edge=Edge(NetworkList(settings.trusted_proxies)),
        authenticator=Authenticator(
            PersonalTokenVerifier(auth, AuthTokenVerifier(verifier)), watch, clock
        ),
        limiter=await _open_limiter(settings, redis, clock, stack),
        credentials=InternalCredentials(signer),
        upstreams=upstreams,
        places=_places(settings),
        denied=NetworkList(settings.denied_networks),
    )


async def _open_limiter(
    settings: GatewaySettings, redis: "Redis", clock: Clock, stack: AsyncExitStack
) -> Limiter:
    replicas = await stack.enter_async_context(
        open_replicas(redis, settings.instance_id, settings.replicas_min)
    )
    gateway_replicas.set_function(lambda: replicas.count)
    classes = settings.limit_classes()
    return Limiter(open_buckets(redis), classes, clock, lambda: replicas.count)


def _places(settings: GatewaySettings) -> Places:
    places = Places(
        settings.concurrent_max,
        addresses=Shares(settings.concurrent_address_max),
        users=Shares(settings.concurrent_user_max),
    )
    under_way.set_function(lambda: places.taken)
    return places


async def _open_upstreams(
    settings: GatewaySettings, clock: Clock, stack: AsyncExitStack
) -> Upstreams:
    urls = settings.upstream_urls()
    instances = {service: Instances(found, clock) for service, found in urls.items()}
    tasks = await stack.enter_async_context(TaskSupervisor())
    tasks.start("discovery", Discovery(urls, instances).run)
    breaker = partial(Breaker, clock=clock, least_calls=settings.breaker_calls_min)
    return await stack.enter_async_context(open_upstreams(instances, breaker))


async def _listen(
    settings: GatewaySettings,
    health: Health,
    watch: SessionWatch,
    stack: AsyncExitStack,
) -> None:
    """Have ended sessions told by live events; RabbitMQ may be away."""
    bus = await stack.enter_async_context(
        open_bus(bus_settings(settings), None, worker)
    )
    health.add("rabbitmq", bus_check(bus), is_critical=False)
    await stack.enter_async_context(bus.run_worker(worker, watch))


def _read_table(settings: GatewaySettings) -> RouteTable:
    path = settings.routes_file or _OWN_ROUTES_FILE
    try:
        return parse_routes(
            path.read_bytes(),
            services=frozenset(settings.upstream_urls()),
            limit_classes=frozenset(settings.limit_classes()),
            networks=settings.network_lists(),
        )
    except (OSError, RouteTableError) as error:
        raise StartError(f"routing table {path}: {error}") from error


def _read_description() -> Description:
    try:
        return parse_description(_DESCRIPTION_FILE.read_bytes())
    except (OSError, DescriptionError) as error:
        raise StartError(f"API description {_DESCRIPTION_FILE}: {error}") from error
