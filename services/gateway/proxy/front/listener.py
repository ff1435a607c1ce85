"""Takes connections and has their requests served, each in a task of its own."""

import asyncio
import socket
from email.utils import formatdate

import structlog

from libs.chassis.asgi import ASGIApp, Scope
from libs.chassis.descriptors import BACKLOG, connections_max
from services.gateway.proxy.front.call import BadAnswerError, Call
from services.gateway.proxy.front.connection import ClientConnection

_LOOK_SECONDS = 1.0
_PAUSE_SECONDS = 0.1
_FAILED = (
    b"HTTP/1.1 500 Internal Server Error\r\n"
    b"connection: close\r\ncontent-length: 0\r\n\r\n"
)

_log = structlog.get_logger()


class FrontServer:
    """A listener.

    Args:
        app: Serves the requests.
        listener: Bound; the server closes it.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        self._app = app
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._connections: set[ClientConnection] = set()
        self._connections_max = connections_max()
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._date = b""

    async def serve(self) -> None:
        """Serve until `stop`, and then until the last connection has ended."""
        self._listener.setblocking(False)  # noqa: FBT003
        self._listener.listen(BACKLOG)
        self._tick()
        accepting = self._loop.create_task(self._accept(), name="front-accept")
        try:
            await self._stop.wait()
            accepting.cancel()
            await asyncio.wait({accepting})
            self._listener.close()
            while self._connections:
                for connection in list(self._connections):
                    connection.finish()
                await self._change()
        finally:
            accepting.cancel()
            self._ticking.cancel()
            self._listener.close()
            for connection in list(self._connections):
                connection.abort()

    def stop(self) -> None:
        """Take no more connections; end each one with the answer under way."""
        self._stop.set()

    async def _accept(self) -> None:
        """Take connections while there is room; the system holds others meanwhile."""
        while True:
            while len(self._connections) >= self._connections_max:
                await self._change()
            try:
                accepted, _ = await self._loop.sock_accept(self._listener)
                await self._loop.connect_accepted_socket(self._connection, accepted)
            except OSError as error:  # no descriptor is free, or it has gone already
                _log.warning("connection_not_taken", error_class=type(error).__name__)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _connection(self) -> ClientConnection:
        return ClientConnection(
            self._begin, lambda: self._date, self._connections.add, self._closed
        )

    def _closed(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)
        self._changed.set()

    def _begin(self, connection: ClientConnection, call: Call, scope: Scope) -> None:
        call.task = self._loop.create_task(self._serve(connection, call, scope))

    async def _serve(
        self, connection: ClientConnection, call: Call, scope: Scope
    ) -> None:
        try:
            await self._app(scope, call.receive, call.send)
        except Exception as error:  # noqa: BLE001 - the last that can be done for it
            if not call.is_started:
                connection.write(_FAILED)
                _log.error("request_failed", exc_info=error)
            elif isinstance(error, BadAnswerError):
                _log.error("answer_invalid", exc_info=error)
        finally:
            connection.ended(call)

    def _tick(self) -> None:
        """Look once a second who takes too long, and what time it is."""
        self._date = b"date: " + formatdate(usegmt=True).encode("ascii")
        now = self._loop.time()
        for connection in list(self._connections):
            if connection.is_overdue(now):
                connection.abort()
        self._ticking = self._loop.call_later(_LOOK_SECONDS, self._tick)
