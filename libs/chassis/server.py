"""Runs an ASGI app in this one process and loop, until SIGTERM.

One process an instance: nothing is left behind by ``kill -9``. The lifespan runs in
the same loop as the requests, so a second listener can be opened in it.
"""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import structlog
import uvloop

from libs.chassis.asgi import ASGIApp, Message, Receive, Scope, Send
from libs.chassis.errors import StartError
from libs.chassis.granian_server import GranianServer
from libs.chassis.health import Health
from libs.chassis.lifespan import LifespanRunner
from libs.chassis.logging import configure_logging
from libs.chassis.metrics import set_build_info, watch_loop_lag
from libs.chassis.settings import ServiceSettings, load_settings
from libs.chassis.telemetry import configure_telemetry, shutdown_telemetry
from libs.chassis.version import VERSION
from libs.crypto import KeyRingError
from libs.kernel import AppError

S = TypeVar("S", bound=ServiceSettings)

_LEAST_STOP_SECONDS = 1.0
_log = structlog.get_logger()


class HttpServer(Protocol):
    """Takes connections on a socket and has an ASGI app serve their requests."""

    async def serve(self) -> None:
        """Serve until `stop`, and then until the requests under way have ended."""

    def stop(self) -> None:
        """Take no more connections."""


NewServer = Callable[[ASGIApp, socket.socket], HttpServer]


def run(
    create_app: Callable[[S], ASGIApp],
    settings_class: type[S],
    new_server: NewServer = GranianServer,
) -> None:
    """Run a service until SIGTERM or SIGINT, then exit the process; never returns.

    The first signal turns readiness off, waits `drain_seconds`, in which every answer
    is its connection's last, stops the listener when running requests are done, then
    leaves the lifespan; the second one ends the process at once. Exit code 0 after an
    orderly stop, else 1. What keeps it from starting (settings, keys, a taken port) is
    one line on stderr.

    Args:
        create_app: Any ASGI app; if it has ``health`` or ``state.health``, its
            `Health` is told to drain.
        settings_class: Read from the environment.
        new_server: Makes what listens, of an app and a bound socket.
    """
    try:
        settings = load_settings(settings_class)
        configure_logging(settings)
        configure_telemetry(settings)
        code = uvloop.run(_Service(create_app, settings, new_server).run())
        shutdown_telemetry()
    except (StartError, KeyRingError, AppError) as error:
        code = _refuse(settings_class, str(error))
    except Exception as error:  # noqa: BLE001 - the process's edge
        _log.error("service_failed_to_start", exc_info=error)
        code = _refuse(settings_class, f"{type(error).__name__}; its log says where")
    sys.exit(code)


def _refuse(settings_class: type[ServiceSettings], reason: str) -> int:
    name = settings_class.service_name()
    print(f"{name} cannot start: {reason}", file=sys.stderr)  # noqa: T201 - to whoever started it
    return 1


class _Service:
    """One run of one app: bind, open, serve, drain, close."""

    def __init__(
        self,
        create_app: Callable[[S], ASGIApp],
        settings: S,
        new_server: NewServer,
    ) -> None:
        self._settings = settings
        self._new_server = new_server
        self._create_app: Callable[[], ASGIApp] = lambda: create_app(settings)
        self._stop = asyncio.Event()
        self._requests: set[asyncio.Task[Any]] = set()
        self._is_draining = False

    async def run(self) -> int:
        """Return the exit code.

        Raises:
            StartError, KeyRingError, AppError: It could not start.
        """
        self._listen_for_signals()
        with contextlib.closing(_bind(self._settings)) as listener:
            app = self._create_app()
            lifespan = LifespanRunner(app)
            if not await self._open(lifespan):
                return 0
            # What is here now stays: the collector need not walk through it again,
            # which holds up everything for a tenth of a second.
            gc.collect()
            gc.freeze()
            return await self._serve(app, lifespan, listener)

    async def _open(self, lifespan: LifespanRunner) -> bool:
        """Return whether it is open; False: a signal came first."""
        opening = asyncio.create_task(lifespan.start())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({opening, stopping}, return_when="FIRST_COMPLETED")
        stopping.cancel()
        if not opening.done():
            opening.cancel()
            await lifespan.cancel()
            return False
        await opening
        return True

    async def _serve(
        self, app: ASGIApp, lifespan: LifespanRunner, listener: socket.socket
    ) -> int:
        server = self._new_server(self._with_state(app, lifespan.state), listener)
        serving = asyncio.create_task(server.serve())
        stopping = asyncio.create_task(self._stop.wait())
        lag = asyncio.create_task(watch_loop_lag())
        set_build_info(self._settings.service_name())
        _log.info("service_started", port=self._settings.port, version=VERSION)
        waited = {serving, stopping, lifespan.task}
        await asyncio.wait(waited, return_when="FIRST_COMPLETED")
        is_orderly = self._stop.is_set()
        stopping.cancel()
        if not is_orderly:
            _log.error("service_broke", is_lifespan=lifespan.task.done())
        try:
            async with asyncio.timeout(self._settings.shutdown_seconds):
                await self._drain(app, is_orderly=is_orderly)
                server.stop()
                await asyncio.wait({serving})
        except TimeoutError:
            await self._cut_requests()
        lag.cancel()
        return await self._close(lifespan, is_orderly=is_orderly)

    async def _drain(self, app: ASGIApp, *, is_orderly: bool) -> None:
        self._is_draining = True
        health = _health_of(app)
        if health is not None:
            health.is_draining = True
        if is_orderly:
            _log.info("service_draining")
            await asyncio.sleep(self._settings.drain_seconds)

    async def _cut_requests(self) -> None:
        # Before the lifespan closes what they use.
        running = set(self._requests)
        _log.warning("requests_cut", count=len(running))
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_LEAST_STOP_SECONDS)

    def _with_state(self, app: ASGIApp, state: dict[str, Any]) -> ASGIApp:
        loop = asyncio.get_running_loop()

        async def stateful(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = dict(state)
            if self._is_draining:
                send = _last(send)
            # Each server makes a task for each request.
            task = cast("asyncio.Task[Any]", asyncio.current_task(loop))
            self._requests.add(task)
            try:
                await app(scope, receive, send)
            finally:
                self._requests.discard(task)

        return stateful

    async def _close(self, lifespan: LifespanRunner, *, is_orderly: bool) -> int:
        seconds = max(_LEAST_STOP_SECONDS, self._settings.shutdown_seconds)
        try:
            async with asyncio.timeout(seconds):
                await lifespan.stop()
        except TimeoutError:
            _log.error("shutdown_timed_out", seconds=seconds)
            return 1
        except Exception as error:  # noqa: BLE001 - the last that can be said of it
            _log.error("shutdown_failed", exc_info=error)
            return 1
        _log.info("service_stopped")
        return 0 if is_orderly else 1

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self._stop.is_set():
            os._exit(1)
        self._stop.set()


def _last(send: Send) -> Send:
    """Tell the client with its answer that the connection ends (RFC 9112, section 9.6).

    Who keeps connections open then sends nothing into one that is just being closed.
    """

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    return sent


def _bind(settings: ServiceSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            raise StartError(f"port {where} is taken by another process") from None
        raise StartError(f"cannot listen on {where}: {error.strerror}") from None
    return listener


def _health_of(app: ASGIApp) -> Health | None:
    for holder in (app, getattr(app, "state", None)):
        health = getattr(holder, "health", None)
        if isinstance(health, Health):
            return health
    return None
