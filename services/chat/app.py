"""Composition root of chat: everything is opened and put together here.

One process and one loop with two listeners: HTTP for the gateway (the chassis opens
it) and WebSockets for the edge (opened in the lifespan).
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from libs.chassis.app import Lifespan, create_http_app
from libs.chassis.audit import AuditTrail, Refusals
from libs.chassis.audit.opening import open_audit
from libs.chassis.bus import bus_settings
from libs.chassis.health import Health, bus_check
from libs.chassis.http import ServiceClient
from libs.chassis.security import (
    AccessTokenVerifier,
    InternalTokenSigner,
    JwksSource,
    jwks_over_http,
)
from libs.chassis.sessions import RevokedSession, SessionWatch
from libs.chassis.tasks import CoroutineFunction, TaskSupervisor
from libs.crypto import FieldSealer, WatchedKeyRing
from libs.events.rabbitmq import RabbitBus, open_bus
from libs.kernel import SystemClock
from services.chat import api
from services.chat.api import ChatState
from services.chat.cache import (
    RedisPresenceStore,
    RedisRemovalChannel,
    RedisTypingChannel,
    open_buckets,
)
from services.chat.consumers import worker
from services.chat.listener import SocketLimits, SocketListener
from services.chat.operations.opening import (
    open_cache,
    open_database,
    open_vault,
)
from services.chat.operations.retention import keeping
from services.chat.peers import Sharing
from services.chat.repository import (
    MongoConversationRepository,
    MongoMessageRepository,
    MongoPartitionStore,
    MongoUserRepository,
    MongoWriterStore,
    SenderMarkers,
    open_records,
    own_stores,
)
from services.chat.service.attachments import Attachments
from services.chat.service.core import Core, build_core
from services.chat.service.directory import Directory
from services.chat.service.erasure import Erasure
from services.chat.service.feed import LiveFeed
from services.chat.service.first_hand import FirstHand
from services.chat.service.live import LiveLimits
from services.chat.service.outside import CoreLimits, Outside
from services.chat.service.own_feed import OwnFeed
from services.chat.service.presence_feed import PresenceFeed
from services.chat.service.projects import ProjectChannels
from services.chat.settings import ChatSettings
from services.chat.sockets import (
    MESSAGE_BYTES,
    Dispatcher,
    EventRates,
    LocalRooms,
    MessageHandlers,
    PresenceHandlers,
    SocketGate,
    SocketHandlers,
    socketio_server,
)
from services.chat.writer import GroupCommitWriter, WriterLimits

if TYPE_CHECKING:  # the driver stays in the adapters; this is its name alone
    from pymongo.asynchronous.database import AsyncDatabase
    from redis.asyncio import Redis

    Database = AsyncDatabase[dict[str, Any]]

_JWKS_PATH = "/api/v1/auth/jwks.json"


@dataclass(frozen=True)
class _Adapters:
    """What the core stands on, and what only the edges need."""

    outside: Outside
    bus: RabbitBus
    redis: "Redis"
    rooms: LocalRooms
    typing: RedisTypingChannel
    removals: RedisRemovalChannel
    sender_markers: SenderMarkers
    keep_retention: CoroutineFunction
    sharing: Sharing
    refusals: Refusals


@dataclass(frozen=True)
class _Identity:
    """How the gate knows who may come in."""

    tokens: AccessTokenVerifier
    sessions: SessionWatch


@dataclass(frozen=True)
class ConsumerApp:
    """What the handlers of `consumers` find in ``context.app``."""

    directory: Directory
    erasure: Erasure
    attachments: Attachments
    channels: ProjectChannels
    feed: LiveFeed
    presence_feed: PresenceFeed
    own_feed: OwnFeed
    sessions: SessionWatch


def create_app(settings: ChatSettings) -> FastAPI:
    """Return the app; its lifespan opens what it needs."""
    health = Health()
    return create_http_app(
        settings,
        lifespan=_lifespan(settings, health),
        routers=api.ROUTERS,
        title="Parley chat",
        health=health,
    )


def _lifespan(settings: ChatSettings, health: Health) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[ChatState]:
        async with AsyncExitStack() as stack:
            adapters = await _open_adapters(settings, health, stack)
            core = build_core(adapters.outside, _core_limits(settings))
            identity = await _open_identity(settings, health, stack, adapters.redis)
            await _start(core, adapters, identity, stack)
            await stack.enter_async_context(
                _listening(settings, core, adapters, identity)
            )
            yield ChatState(
                membership=core.membership,
                talk=core.talk,
                sync=core.sync,
                markers=core.markers,
                own=core.own,
                presence=core.presence,
                refusals=adapters.refusals,
            )

    return lifespan


async def _open_adapters(
    settings: ChatSettings, health: Health, stack: AsyncExitStack
) -> _Adapters:
    clock, rooms = SystemClock(), LocalRooms()
    sealer = FieldSealer(WatchedKeyRing(settings.message_transport_keys_file))
    vault = await stack.enter_async_context(open_vault(settings))
    database = await open_database(settings, health, stack)
    redis = await open_cache(settings, health, stack)
    bus = await _open_events(settings, health, stack, database)
    markers = SenderMarkers(database)
    writer = _writer(settings, bus, MongoWriterStore(database, vault, markers), sealer)
    sharing = _sharing(settings, database, writer)
    removals = RedisRemovalChannel(redis)
    audit, refusals = await _open_audit(settings, database, stack)
    outside = Outside(
        bus=bus,
        conversations=MongoConversationRepository(database, vault, markers),
        messages=MongoMessageRepository(database, vault),
        users=MongoUserRepository(database),
        own=own_stores(database, vault),
        records=open_records(database, vault, sealer),
        buckets=open_buckets(redis),
        writer=sharing.writer,
        presence=RedisPresenceStore(redis, clock),
        rooms=rooms,
        removals=removals,
        sealer=sealer,
        audit=audit,
        clock=clock,
    )
    kept = keeping(settings, outside, database)
    channels = (rooms, RedisTypingChannel(redis), removals)
    return _Adapters(outside, bus, redis, *channels, markers, kept, sharing, refusals)


async def _open_events(
    settings: ChatSettings, health: Health, stack: AsyncExitStack, database: "Database"
) -> RabbitBus:
    opening = open_bus(bus_settings(settings), database, worker)
    bus = await stack.enter_async_context(opening)
    health.add("rabbitmq", bus_check(bus), is_critical=False)
    return bus


async def _open_audit(
    settings: ChatSettings, database: "Database", stack: AsyncExitStack
) -> tuple[AuditTrail, Refusals]:
    audit = await open_audit(settings, database, stack)
    return audit, Refusals(audit, SystemClock())


def _writer(
    settings: ChatSettings, bus: RabbitBus, store: MongoWriterStore, sealer: FieldSealer
) -> GroupCommitWriter:
    limits = _writer_limits(settings)
    return GroupCommitWriter(bus, store, sealer, SystemClock(), limits=limits)


def _sharing(
    settings: ChatSettings, database: "Database", writer: GroupCommitWriter
) -> Sharing:
    return Sharing(
        writer,
        MongoPartitionStore(database),
        SystemClock(),
        instance_id=settings.instance_id,
        listen=(settings.host, settings.peer_port),
        reached_as=settings.peer_host,
        key_file=settings.internal_key_file,
        jwks_file=settings.internal_jwks_file,
    )


async def _open_identity(
    settings: ChatSettings, health: Health, stack: AsyncExitStack, redis: "Redis"
) -> _Identity:
    clock = SystemClock()
    signer = InternalTokenSigner(settings.internal_key_file, "chat")
    auth = await stack.enter_async_context(
        ServiceClient(settings.auth_url, signer, "auth")
    )
    sessions = await stack.enter_async_context(SessionWatch(redis, auth, clock).run())
    health.add("sessions", sessions.check, is_critical=False)
    fetch = jwks_over_http(auth.session, settings.auth_url + _JWKS_PATH)
    keys = JwksSource(fetch, clock)
    stack.push_async_callback(keys.aclose)
    return _Identity(AccessTokenVerifier(keys, settings.issuer, clock), sessions)


async def _start(
    core: Core, adapters: _Adapters, identity: _Identity, stack: AsyncExitStack
) -> None:
    """Start what runs beside the listeners; it ends in the opposite order."""
    bus = adapters.bus
    stack.push_async_callback(adapters.sender_markers.flush)
    await stack.enter_async_context(adapters.sharing.running())
    stack.push_async_callback(core.markers.flush)
    app = ConsumerApp(
        core.directory,
        core.membership.erasure,
        core.talk.attachments,
        core.membership.projects,
        core.feed,
        core.presence_feed,
        core.own.feed,
        identity.sessions,
    )
    first_hand = FirstHand(core.live, adapters.rooms, adapters.sharing)
    adapters.sharing.on_stored(first_hand.stored)
    adapters.sharing.on_news(first_hand.told)
    bus.on_live_change(core.live.live_changed)
    core.live.watch_unconfirmed(lambda: bus.health()["outbox"]["in_memory"])
    await stack.enter_async_context(bus.run_worker(worker, app))
    tasks = await stack.enter_async_context(TaskSupervisor())
    _start_tasks(core, adapters, tasks)


def _start_tasks(core: Core, adapters: _Adapters, tasks: TaskSupervisor) -> None:
    tasks.start("partitions", adapters.sharing.partitions.run)
    tasks.start("read-markers", core.markers.run)
    tasks.start("scheduled", core.talk.sender.run)
    tasks.start("jobs", core.membership.jobs.run)
    tasks.start("sender-markers", adapters.sender_markers.run)
    tasks.start("live-holes", core.live.fill_holes)
    tasks.start("live-poll", core.live.poll)
    tasks.start("own-holes", core.own.live.fill_holes)
    tasks.start("presence", core.presence.heartbeats.run)
    tasks.start("presence-feed", core.presence_feed.run)
    tasks.start("custom-statuses", core.presence.statuses.run)
    tasks.start("retention", adapters.keep_retention)
    tasks.start("typing", lambda: adapters.typing.listen(core.feed.typing))
    tasks.start("removals", lambda: adapters.removals.listen(core.live.expel))


@asynccontextmanager
async def _listening(
    settings: ChatSettings, core: Core, adapters: _Adapters, identity: _Identity
) -> AsyncIterator[None]:
    """Serve sockets while the block runs; leaving it drains them."""
    gate = _gate(settings, core, adapters, identity)
    dispatcher = _dispatcher(settings, core, adapters, gate)
    server = socketio_server(
        ping_seconds=settings.socket_ping_seconds,
        pong_seconds=settings.socket_pong_seconds,
    )

    def on_revoked(ended: RevokedSession) -> None:
        gate.revoke(ended.session_id, "revoked")

    identity.sessions.on_revoked(on_revoked)
    listener = SocketListener(gate.app(dispatcher, server), _socket_limits(settings))
    async with listener.listening(settings.host, settings.socket_port):
        try:
            yield
        finally:
            listener.stop_accepting()
            await gate.drain()
            await core.presence.heartbeats.close()


def _gate(
    settings: ChatSettings, core: Core, adapters: _Adapters, identity: _Identity
) -> SocketGate:
    return SocketGate(
        identity.tokens,
        identity.sessions,
        adapters.rooms,
        live=core.live,
        presence=core.presence.heartbeats,
        clock=adapters.outside.clock,
        sockets_per_user=settings.sockets_per_user,
    )


def _dispatcher(
    settings: ChatSettings, core: Core, adapters: _Adapters, gate: SocketGate
) -> Dispatcher:
    handlers = SocketHandlers(
        core.membership.conversations,
        core.markers,
        live=core.live,
        rooms=adapters.rooms,
        typing=adapters.typing,
        own=core.own,
    )
    rates = EventRates(
        events=(settings.socket_events_per_second, settings.socket_events_burst),
        messages=(settings.socket_messages_per_second, settings.socket_messages_burst),
    )
    return Dispatcher(
        handlers.routes(gate)
        | MessageHandlers(core.talk).routes()
        | PresenceHandlers(core.presence).routes(),
        rates,
        adapters.outside.clock,
        adapters.refusals,
    )


def _core_limits(settings: ChatSettings) -> CoreLimits:
    return CoreLimits(
        conversation=settings.limits(),
        rates=settings.rates(),
        messages=settings.message_rate(),
        live=LiveLimits(patience_seconds=settings.live_patience_seconds),
        presence_grace_seconds=settings.presence_grace_seconds,
        presence_heartbeat_seconds=settings.presence_heartbeat_seconds,
    )


def _writer_limits(settings: ChatSettings) -> WriterLimits:
    return WriterLimits(
        lanes=settings.writer_lanes,
        batch=settings.writer_batch,
        gather_seconds=settings.writer_gather_seconds,
        queue=settings.writer_queue,
    )


def _socket_limits(settings: ChatSettings) -> SocketLimits:
    return SocketLimits(
        allowed_origins=settings.allowed_origins,
        message_bytes=MESSAGE_BYTES,
        authenticate_seconds=settings.socket_authenticate_seconds,
        sockets=settings.sockets_max,
        anonymous_per_address=settings.sockets_anonymous_per_address,
    )
