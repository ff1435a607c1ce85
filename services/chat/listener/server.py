"""The listening socket and the connections behind it."""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import structlog
from picows import (
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)
from prometheus_client import Gauge

from libs.chassis.asgi import ASGIApp, Scope
from libs.chassis.errors import StartError
from services.chat.listener.connection import Connection
from services.chat.listener.handshake import (
    client_address,
    problem_response,
    refusal,
)
from services.chat.listener.limits import SocketLimits
from services.chat.listener.outgoing import LoopTurn

_BACKLOG = 2048
_FRAME_MARGIN_BYTES = 1024
_HEADERS = ((b"connection", b"upgrade"), (b"upgrade", b"websocket"))
_SOCKETS = Gauge("chat_sockets", "Open sockets")
_log = structlog.get_logger()

Handshake = Connection | WSUpgradeResponseWithListener

# It logs each connection, and what clients send wrong as errors; we count instead.
logging.getLogger("picows").setLevel(logging.CRITICAL)  # noqa: TID251 - the library's own


class SocketListener:
    """Accepts WebSockets and runs the Socket.IO app for each.

    Args:
        app: ASGI app; its scope holds the `ClientSocket` as ``socket``.
        limits: See `SocketLimits`.
    """

    def __init__(self, app: ASGIApp, limits: SocketLimits) -> None:
        self._app = app
        self._limits = limits
        self._connections: set[Connection] = set()
        self._anonymous: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._turn = LoopTurn()

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[None]:
        """Listen while the block runs; leaving it cuts what is still open.

        Raises:
            StartError: The port is taken, or not ours to take.
        """
        self._server = await ws_create_server(
            self._on_handshake,
            sock=_bound(host, port, self._limits.send_buffer_bytes),
            max_frame_size=self._limits.message_bytes + _FRAME_MARGIN_BYTES,
            websocket_handshake_timeout=self._limits.authenticate_seconds,
            read_buffer_init_size=2048,
            backlog=_BACKLOG,
        )
        try:
            yield
        finally:
            self.stop_accepting()
            for connection in tuple(self._connections):
                connection.abort()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def stop_accepting(self) -> None:
        """Take no new connection; those that are open stay."""
        if self._server is not None:
            self._server.close()

    @property
    def connections(self) -> Iterable[Connection]:
        """Every open connection."""
        return tuple(self._connections)

    def _on_handshake(self, request: WSUpgradeRequest) -> Handshake:
        answer = refusal(request, self._limits) or self._no_room(request)
        if answer is not None:
            return WSUpgradeResponseWithListener(answer, None)
        return Connection(
            self._limits,
            _scope(request),
            client_address(request, "-"),
            turn=self._turn,
            on_open=self._on_open,
            on_admitted=self._forget_anonymous,
            on_closed=self._on_closed,
        )

    def _no_room(self, request: WSUpgradeRequest) -> WSUpgradeResponse | None:
        if len(self._connections) >= self._limits.sockets:
            return problem_response(503, "too_many_sockets", "Come back later.")
        address = client_address(request, "-")
        if self._anonymous[address] >= self._limits.anonymous_per_address:
            return problem_response(
                429, "too_many_unauthenticated", "Too many sockets without a token."
            )
        return None

    def _on_open(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._anonymous[connection.client_address] += 1
        _SOCKETS.inc()
        connection.scope["socket"] = connection
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_closed(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            _SOCKETS.dec()
            self._forget_anonymous(connection)

    def _forget_anonymous(self, connection: Connection) -> None:
        if connection.scope.pop("is_anonymous", False):
            address = connection.client_address
            self._anonymous[address] -= 1
            if self._anonymous[address] <= 0:
                del self._anonymous[address]

    async def _serve(self, connection: Connection) -> None:
        try:
            await self._app(connection.scope, connection.receive, connection.send)
        except Exception as error:  # noqa: BLE001 - the edge: one socket never ends the process
            _log.warning("socket_failed", error=type(error).__name__)
        finally:
            connection.close()


def _scope(request: WSUpgradeRequest) -> Scope:
    """Return the scope of a handshake that was checked.

    Of the headers it holds what Engine.IO looks at: each socket keeps its scope, and
    nobody else reads them.
    """
    path, _, query = request.path.decode("latin-1").partition("?")
    return {
        "type": "websocket",
        "path": path,
        "query_string": query.encode("latin-1"),
        "headers": _HEADERS,
        "is_anonymous": True,
    }


def _bound(host: str, port: int, send_buffer_bytes: int) -> socket.socket:
    """Bind; accepted sockets inherit the bounded send buffer."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise StartError(f"port {host}:{port} cannot be bound: {error}") from error
    listening.setblocking(False)  # noqa: FBT003 - the standard library's
    return listening
