"""Runs an ASGI app: granian embedded in this one process and loop, until SIGTERM.

One process an instance: nothing is left behind by ``kill -9``. The lifespan runs in
the same loop as the requests, so a second listener can be opened in it.
"""

import asyncio
import contextlib
import errno
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

import structlog
import uvloop
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from libs.chassis.asgi import ASGIApp, Message, Receive, Scope, Send
from libs.chassis.errors import StartError
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

_BACKLOG = 1024
_LEAST_STOP_SECONDS = 1.0
_OWN_DESCRIPTORS = 48  # loop, log, listener, stores
_log = structlog.get_logger()


def run(create_app: Callable[[S], ASGIApp], settings_class: type[S]) -> None:
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
    """
    try:
        settings = load_settings(settings_class)
        configure_logging(settings)
        configure_telemetry(settings)
        code = uvloop.run(_Service(create_app, settings).run())
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

    def __init__(self, create_app: Callable[[S], ASGIApp], settings: S) -> None:
        self._settings = settings
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
        server = _Granian(self._with_state(app, lifespan.state), listener)
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
                server.stop()  # type: ignore[no-untyped-call]  # granian's
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
            # granian makes a task for each request.
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


class _Granian(Server):
    """Granian on a socket of ours.

    Its own socket shares the port with whoever else listens there (SO_REUSEPORT), so
    a taken port would go unnoticed.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        self._listener = listener
        super().__init__(
            app,
            interface=Interfaces.ASGINL,  # `LifespanRunner` drives the lifespan
            http=HTTPModes.http1,
            websockets=False,
            backlog=_BACKLOG,
            backpressure=connections_max(),
            log_level=LogLevels.error,
            # Incremental: granian's handlers would bypass ours.
            log_dictconfig={
                "incremental": True,
                "formatters": {},
                "handlers": {},
                "loggers": {"_granian": {}},
            },
        )

    def _init_shared_socket(self) -> None:
        self._ssp = None
        # granian's own types leave out its constructor and this attribute's type.
        holder = SocketHolder(self._listener.detach(), False, _BACKLOG)  # type: ignore[call-arg]  # noqa: FBT003
        self._shd = holder  # type: ignore[assignment]


def connections_max() -> int:
    """Return how many clients' connections are held at once; others wait for theirs.

    Of the descriptors that this process may have, half are for clients and half for
    what their requests need behind. Who finds none there fails; who finds none to
    accept with tries again without a pause.
    """
    wanted = 2 * _BACKLOG + _OWN_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _BACKLOG
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(_BACKLOG, (soft - _OWN_DESCRIPTORS) // 2))


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
