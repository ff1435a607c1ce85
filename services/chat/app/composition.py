"""Opens the adapters, the two listeners and the tasks, in order.

One process and one loop: HTTP for the gateway (the chassis opens it) and WebSockets
for the edge (opened in the lifespan).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import FastAPI

from libs.chassis.app import Lifespan, create_http_app
from libs.chassis.health import Check, Health
from libs.chassis.http import ServiceClient
from libs.chassis.mongo import open_mongo
from libs.chassis.mongo import ping as ping_mongo
from libs.chassis.redis import open_redis
from libs.chassis.redis import ping as ping_redis
from libs.chassis.security import (
    AccessTokenVerifier,
    InternalTokenSigner,
    JwksSource,
    jwks_over_http,
)
from libs.chassis.sessions import SessionWatch
from libs.chassis.tasks import TaskSupervisor
from libs.crypto import DataKeys, FieldSealer, KeyRing
from libs.events import BusSettings
from libs.events.rabbitmq import RabbitBus, open_bus
from libs.kernel import SystemClock, UnavailableError
from services.chat import api
from services.chat.api import ChatState
from services.chat.app.core import Core, Outside, build_core
from services.chat.app.realtime import Identity, listening
from services.chat.cache import RedisPresenceStore, RedisTypingChannel
from services.chat.consumers import worker
from services.chat.repository import (
    ConversationVault,
    MongoConversationRepository,
    MongoMessageRepository,
    MongoUserRepository,
    MongoWriterStore,
    ensure_indexes,
)
from services.chat.service.directory import Directory
from services.chat.service.feed import LiveFeed
from services.chat.service.projects import ProjectChannels
from services.chat.settings import ChatSettings
from services.chat.sockets import LocalRooms

if TYPE_CHECKING:  # the driver stays in the adapters; this is its name alone
    from redis.asyncio import Redis

_JWKS_PATH = "/api/v1/auth/jwks.json"


@dataclass(frozen=True)
class _Opened:
    outside: Outside
    bus: RabbitBus
    redis: "Redis"
    rooms: LocalRooms
    typing: RedisTypingChannel


@dataclass(frozen=True)
class ConsumerApp:
    """What the handlers of `consumers` find in ``context.app``."""

    directory: Directory
    channels: ProjectChannels
    feed: LiveFeed
    sessions: SessionWatch


def create_app(settings: ChatSettings) -> FastAPI:
    """Return the app; its lifespan opens what it needs."""
    health = Health()
    return create_http_app(
        settings,
        lifespan=_lifespan(settings, health),
        routers=[api.router],
        title="Parley chat",
        health=health,
    )


def _lifespan(settings: ChatSettings, health: Health) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[ChatState]:
        async with AsyncExitStack() as stack:
            opened = await _open_stores(settings, health, stack)
            outside, bus, typing = opened.outside, opened.bus, opened.typing
            core = build_core(outside, settings)
            sessions, tokens = await _open_auth(settings, health, stack, opened.redis)
            tasks = await stack.enter_async_context(TaskSupervisor())
            await stack.enter_async_context(core.writer.running())
            stack.push_async_callback(core.markers.flush)
            bus.on_live_change(core.live.live_changed)
            app = ConsumerApp(core.directory, core.channels, core.feed, sessions)
            await stack.enter_async_context(bus.run_worker(worker, app))
            _start_tasks(core, typing, tasks)
            await stack.enter_async_context(
                listening(
                    settings,
                    core,
                    Identity(tokens, sessions),
                    rooms=opened.rooms,
                    typing=typing,
                )
            )
            yield _state(core)

    return lifespan


async def _open_stores(
    settings: ChatSettings, health: Health, stack: AsyncExitStack
) -> _Opened:
    clock = SystemClock()
    sealer = FieldSealer(KeyRing.from_file(settings.message_transport_keys_file))
    vault = ConversationVault(DataKeys(KeyRing.from_file(settings.storage_keys_file)))
    database = await stack.enter_async_context(open_mongo(settings))
    health.add("mongodb", lambda: ping_mongo(database))
    await ensure_indexes(database)
    redis = await stack.enter_async_context(open_redis(settings))
    health.add("redis", lambda: ping_redis(redis), is_critical=False)
    bus = await stack.enter_async_context(
        open_bus(_bus_settings(settings), database, worker)
    )
    health.add("rabbitmq", _bus_check(bus), is_critical=False)
    rooms = LocalRooms()
    outside = Outside(
        bus=bus,
        conversations=MongoConversationRepository(database, vault),
        messages=MongoMessageRepository(database, vault),
        users=MongoUserRepository(database),
        writing=MongoWriterStore(database, vault),
        presence=RedisPresenceStore(redis, clock),
        rooms=rooms,
        sealer=sealer,
        clock=clock,
    )
    return _Opened(outside, bus, redis, rooms, RedisTypingChannel(redis))


async def _open_auth(
    settings: ChatSettings, health: Health, stack: AsyncExitStack, redis: "Redis"
) -> tuple[SessionWatch, AccessTokenVerifier]:
    clock = SystemClock()
    signer = InternalTokenSigner(settings.internal_key_file, "chat")
    auth = await stack.enter_async_context(
        ServiceClient(settings.auth_url, signer, "auth")
    )
    sessions = await stack.enter_async_context(SessionWatch(redis, auth, clock).run())
    health.add("sessions", sessions.check, is_critical=False)
    keys = JwksSource(
        jwks_over_http(auth.session, settings.auth_url + _JWKS_PATH), clock
    )
    stack.push_async_callback(keys.aclose)
    return sessions, AccessTokenVerifier(keys, settings.issuer, clock)


def _state(core: Core) -> ChatState:
    return ChatState(
        conversations=core.conversations,
        members=core.members,
        messages=core.messages,
        sync=core.sync,
        markers=core.markers,
    )


def _start_tasks(core: Core, typing: RedisTypingChannel, tasks: TaskSupervisor) -> None:
    tasks.start("read-markers", core.markers.run)
    tasks.start("live-holes", core.live.fill_holes)
    tasks.start("live-poll", core.live.poll)
    tasks.start("presence", core.presence.run)
    tasks.start("typing", lambda: typing.listen(core.feed.typing))


def _bus_check(bus: RabbitBus) -> Check:
    async def check() -> Mapping[str, object]:
        report = bus.health()
        if not report["is_healthy"]:
            raise UnavailableError("broker_unavailable", "RabbitMQ is away.", **report)
        return report

    return check


def _bus_settings(settings: ChatSettings) -> BusSettings:
    return BusSettings(
        service="chat",
        instance_id=settings.instance_id,
        amqp_url=settings.amqp_url.get_secret_value(),
    )
