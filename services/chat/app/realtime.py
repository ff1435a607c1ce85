"""The WebSocket listener with everything behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import socketio

from libs.chassis.access_tokens import AccessTokenVerifier
from libs.chassis.sessions import RevokedSession, SessionWatch
from libs.kernel import SystemClock
from services.chat.app.core import Core
from services.chat.cache import RedisTypingChannel
from services.chat.listener import SocketLimits, SocketListener
from services.chat.settings import ChatSettings
from services.chat.sockets import (
    Dispatcher,
    EventRates,
    LocalRooms,
    SocketGate,
    SocketHandlers,
)

_MESSAGE_BYTES = 256 * 1024


@dataclass(frozen=True)
class Identity:
    """How the gate knows who may come in."""

    tokens: AccessTokenVerifier
    sessions: SessionWatch


class _Json:
    """The JSON module that python-socketio is given: orjson, within its limits."""

    @staticmethod
    def dumps(value: object, **_: Any) -> str:  # noqa: ANN401 - the standard library's keywords
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str, **_: Any) -> object:  # noqa: ANN401 - as above
        return orjson.loads(text)


@asynccontextmanager
async def listening(
    settings: ChatSettings,
    core: Core,
    identity: Identity,
    *,
    rooms: LocalRooms,
    typing: RedisTypingChannel,
) -> AsyncIterator[None]:
    """Serve sockets while the block runs; leaving it drains them.

    Raises:
        StartError: The port is taken.
    """
    gate = SocketGate(
        identity.tokens,
        identity.sessions,
        rooms,
        live=core.live,
        presence=core.presence,
        clock=SystemClock(),
        sockets_per_user=settings.sockets_per_user,
    )
    handlers = SocketHandlers(
        core.conversations,
        core.messages,
        core.markers,
        live=core.live,
        rooms=rooms,
        presence=core.presence,
        typing=typing,
    )
    dispatcher = Dispatcher(handlers.routes(gate), _rates(settings), SystemClock())
    app = gate.app(dispatcher, _socketio_server(settings))

    def on_revoked(ended: RevokedSession) -> None:
        gate.revoke(ended.session_id, "revoked")

    identity.sessions.on_revoked(on_revoked)
    listener = SocketListener(app, _limits(settings))
    async with listener.listening(settings.host, settings.socket_port):
        try:
            yield
        finally:
            listener.stop_accepting()
            await gate.drain()
            await core.presence.close()


def _socketio_server(settings: ChatSettings) -> socketio.AsyncServer:
    """Return python-socketio: handshake, heartbeat and namespaces, no polling.

    Origins are checked by the listener, before a WebSocket is there at all.
    """
    return socketio.AsyncServer(
        async_mode="asgi",
        transports=["websocket"],
        cors_allowed_origins=[],
        json=_Json,
        ping_interval=settings.socket_ping_seconds,
        ping_timeout=settings.socket_pong_seconds,
        max_http_buffer_size=_MESSAGE_BYTES,
        logger=False,
        engineio_logger=False,
    )


def _limits(settings: ChatSettings) -> SocketLimits:
    return SocketLimits(
        allowed_origins=settings.allowed_origins,
        message_bytes=_MESSAGE_BYTES,
        authenticate_seconds=settings.socket_authenticate_seconds,
        sockets=settings.sockets_max,
        anonymous_per_address=settings.sockets_anonymous_per_address,
    )


def _rates(settings: ChatSettings) -> EventRates:
    return EventRates(
        events=(settings.socket_events_per_second, settings.socket_events_burst),
        messages=(settings.socket_messages_per_second, settings.socket_messages_burst),
    )
