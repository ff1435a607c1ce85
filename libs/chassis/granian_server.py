"""Granian, embedded in the service's own process and loop (ADR 0011)."""

import socket

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from libs.chassis.asgi import ASGIApp
from libs.chassis.descriptors import BACKLOG, connections_max


class GranianServer(Server):
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
            backlog=BACKLOG,
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
        holder = SocketHolder(self._listener.detach(), False, BACKLOG)  # type: ignore[call-arg]  # noqa: FBT003
        self._shd = holder  # type: ignore[assignment]

    def stop(self) -> None:
        """Take no more connections."""
        super().stop()  # type: ignore[no-untyped-call]  # granian's
