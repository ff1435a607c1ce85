"""python-socketio: handshake, heartbeat, and nothing that it need not do."""

from typing import Any

import orjson
import socketio

MESSAGE_BYTES = 256 * 1024
"""Largest message of an admitted client; the listener holds it too."""


class _Json:
    """The JSON module that python-socketio is given: orjson, within its limits."""

    @staticmethod
    def dumps(value: object, **_: Any) -> str:  # noqa: ANN401 - the standard library's keywords
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str, **_: Any) -> object:  # noqa: ANN401 - as above
        return orjson.loads(text)


def socketio_server(
    *, ping_seconds: float, pong_seconds: float
) -> socketio.AsyncServer:
    """Return python-socketio: handshake, heartbeat and namespaces, no polling.

    Origins are checked by the listener, before a WebSocket is there at all.
    """
    return socketio.AsyncServer(
        async_mode="asgi",
        transports=["websocket"],
        cors_allowed_origins=[],
        json=_Json,
        ping_interval=ping_seconds,
        ping_timeout=pong_seconds,
        max_http_buffer_size=MESSAGE_BYTES,
        logger=False,
        engineio_logger=False,
    )
