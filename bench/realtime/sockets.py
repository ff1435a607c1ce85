"""Many Socket.IO clients in one process, cheap enough not to be what is measured."""

import asyncio
from collections.abc import Callable, Sequence

import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

PATH = "/socket.io/?EIO=4&transport=websocket"
_OPENING_AT_ONCE = 50
_OPEN_SECONDS = 30

OnEvent = Callable[["BenchSocket", bytes], None]


class BenchSocket(WSListener):
    """One client: handshake and heartbeat done, every event handed on.

    Args:
        token: For CONNECT.
        on_event: Takes the socket and the packet of each event and acknowledgement.
    """

    def __init__(self, token: str, on_event: OnEvent) -> None:
        self._token = token
        self._on_event = on_event
        self._transport: WSTransport | None = None
        self.is_admitted = asyncio.get_running_loop().create_future()
        self.is_gone = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport; the server speaks first."""
        self._transport = transport

    def on_ws_frame(self, _: WSTransport, frame: WSFrame) -> None:
        """Answer the protocol's packets, hand on the others."""
        packet = frame.get_payload_as_bytes()
        if frame.msg_type != WSMsgType.TEXT:
            return
        if packet.startswith((b"42", b"43")):
            self._on_event(self, packet)
        elif packet == b"2":
            self.write(b"3")
        elif packet.startswith(b"0"):
            self.write(b"40" + orjson.dumps({"token": self._token}))
        elif packet.startswith(b"40") and not self.is_admitted.done():
            self.is_admitted.set_result(None)
        elif packet.startswith(b"44") and not self.is_admitted.done():
            self.is_admitted.set_exception(ConnectionRefusedError(packet.decode()))

    def on_ws_disconnected(self, _: WSTransport) -> None:
        """Tell whoever waits."""
        self._transport = None
        if not self.is_gone.done():
            self.is_gone.set_result(None)
        if not self.is_admitted.done():
            self.is_admitted.set_exception(ConnectionResetError())

    def write(self, packet: bytes) -> None:
        """Write one packet."""
        if self._transport is None:
            raise ConnectionResetError
        self._transport.send(WSMsgType.TEXT, packet)

    def emit(self, name: str, payload: object, ack_id: int | None = None) -> None:
        """Write one event."""
        number = "" if ack_id is None else str(ack_id)
        self.write(b"42" + number.encode() + orjson.dumps([name, payload]))

    def stop_reading(self) -> None:
        """Leave what comes in the kernel's buffers."""
        if self._transport is not None:
            self._transport.underlying_transport.pause_reading()

    def start_reading(self) -> None:
        """Read again."""
        if self._transport is not None:
            self._transport.underlying_transport.resume_reading()

    def close(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)


async def connect(url: str, token: str, on_event: OnEvent) -> BenchSocket:
    """Open one admitted socket.

    Args:
        url: For example ``ws://127.0.0.1:21013``.
        token: Access token.
        on_event: See `BenchSocket`.
    """
    async with asyncio.timeout(_OPEN_SECONDS):
        _, socket = await ws_connect(lambda: BenchSocket(token, on_event), url + PATH)
        await socket.is_admitted
    return socket


async def connect_all(
    url: str, tokens: Sequence[str], on_event: OnEvent
) -> list[BenchSocket]:
    """Open a socket for each token, some at a time, in their order."""
    turns = asyncio.Semaphore(_OPENING_AT_ONCE)

    async def open_one(token: str) -> BenchSocket:
        async with turns:
            return await connect(url, token, on_event)

    async with asyncio.TaskGroup() as tasks:
        opening = [tasks.create_task(open_one(token)) for token in tokens]
    return [task.result() for task in opening]
