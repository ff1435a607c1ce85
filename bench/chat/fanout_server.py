"""Parley's listener, gate, dispatcher and rooms as a process of their own.

They are put together as `services.chat.app` does it; what is left out is what is not
delivery: token signatures, storage, broker. A message of a client goes to the room of
its conversation. Prints its port.
"""

import asyncio
import contextlib
import logging
import socket
import sys
import time
from dataclasses import dataclass

import structlog
import uvloop

from libs.kernel import SystemClock, new_id
from services.chat.listener import SocketLimits, SocketListener
from services.chat.sockets import (
    Dispatcher,
    EventRates,
    LocalRooms,
    SocketGate,
    socketio_server,
)
from services.chat.sockets.client import Client
from services.chat.sockets.dispatch import Route
from services.chat.sockets.payloads import Payload

ROOM = "everybody"
_GENEROUS = (1_000_000.0, 1_000_000)


class Message(Payload):
    """``message.send`` of the benchmark: what is sent is what is delivered."""

    conversation_id: str
    revision: int
    message: dict[str, object]


@dataclass(frozen=True)
class _Claims:
    user_id: str
    session_id: str
    expires_at: int


class _Tokens:
    """Every token is a user of its own."""

    async def verify(self, token: str) -> _Claims:
        """Return claims for an hour."""
        return _Claims(token, new_id(), int(time.time()) + 3600)


class _Sessions:
    def is_revoked(self, _: str) -> bool:
        """Tell that none is."""
        return False


class _RoomEntry:
    """Hears who arrives, as presence does: everybody enters the one room."""

    def __init__(self, rooms: LocalRooms) -> None:
        self._rooms = rooms

    async def arrive(self, user_id: str, device: str, status: str) -> None:
        """Let the client in, as a subscription would."""
        del user_id, status
        client = self._rooms.client(device)
        if client is not None:
            self._rooms.enter(ROOM, client)

    def leave(self, user_id: str, device: str) -> None:
        """Forget it."""


def listener() -> SocketListener:
    """Put the edge together."""
    rooms, clock = LocalRooms(), SystemClock()

    async def send(_: Client, message: Message) -> object:
        payload = {
            "conversation_id": message.conversation_id,
            "revision": message.revision,
            "message": message.message,
        }
        rooms.emit((ROOM,), "message.sent", payload)
        return {}

    gate = SocketGate(
        _Tokens(),
        _Sessions(),
        rooms,
        live=None,  # type: ignore[arg-type]  # nobody subscribes
        presence=_RoomEntry(rooms),  # type: ignore[arg-type]  # stands in for it
        clock=clock,
        sockets_per_user=20,
    )
    rates = EventRates(events=_GENEROUS, messages=_GENEROUS)
    routes = {"message.send": Route(Message, send, "messages")}
    server = socketio_server(ping_seconds=25, pong_seconds=20)
    limits = SocketLimits(allowed_origins=(), anonymous_per_address=10_000)
    return SocketListener(gate.app(Dispatcher(routes, rates, clock), server), limits)


async def serve() -> None:
    """Serve until the benchmark ends."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    async with listener().listening("127.0.0.1", port):
        print(port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    # Its own output is the port; lines of single events are for whoever asks for them.
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(
        wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    uvloop.run(serve())
