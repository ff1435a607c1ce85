"""A Socket.IO client of raw frames: it shares the cores with what it measures."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import cast

import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

_CONNECT_SECONDS = 15.0
_OPENING_AT_ONCE = 50
_SENT = b'42["message.sent"'
_ACK = b"43"
_STORED = b'"message":{"message_id"'


class RawClient(WSListener):
    """One socket; counts deliveries by their prefix and never parses them.

    Args:
        on_sent: Hears of each ``message.sent``, with its frame.

    Attributes:
        delivered: ``message.sent`` events so far.
        refused: Acknowledgements that held an error, the last one's text.
    """

    def __init__(self, on_sent: Callable[[bytes], None] | None = None) -> None:
        self._on_sent = on_sent
        self.delivered = 0
        self.refused = 0
        self.last_error = b""
        self.is_closed = False
        self._transport: WSTransport | None = None
        self._waiting: dict[bytes, Callable[[bytes], None]] = {}
        self._next_ack = 0
        self._opened = asyncio.get_running_loop().create_future()
        self._admitted = asyncio.get_running_loop().create_future()

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Note that it is over."""
        del transport
        self.is_closed = True

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count, or answer who waits."""
        if frame.msg_type != WSMsgType.TEXT:
            return
        payload = frame.get_payload_as_bytes()
        if payload.startswith(_SENT):
            self.delivered += 1
            if self._on_sent is not None:
                self._on_sent(payload)
        elif payload.startswith(_ACK):
            number, _, body = payload[2:].partition(b"[")
            self._waiting.pop(number)(body)
        elif payload == b"2":
            transport.send(WSMsgType.TEXT, b"3")
        elif payload.startswith(b"0"):
            self._opened.set_result(None)
        elif payload.startswith(b"40"):
            self._admitted.set_result(None)

    # What a benchmark calls.

    def emit(self, name: str, body: bytes, answered: Callable[[bytes], None]) -> None:
        """Send an event; `answered` gets what follows the bracket of its ACK."""
        assert self._transport is not None
        self._next_ack += 1
        number = b"%d" % self._next_ack
        self._waiting[number] = answered
        frame = b'42%b["%b",%b]' % (number, name.encode(), body)
        self._transport.send(WSMsgType.TEXT, frame)

    def send(self, body: bytes, answered: Callable[[], None]) -> None:
        """Send a message; `answered` is called whatever came back."""

        def on_ack(found: bytes) -> None:
            if _STORED not in found:
                self.refused += 1
                self.last_error = found
            answered()

        self.emit("message.send", body, on_ack)

    async def ask(self, name: str, payload: object) -> object:
        """Send an event; return its parsed answer."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.emit(name, orjson.dumps(payload), answer.set_result)
        async with asyncio.timeout(_CONNECT_SECONDS):
            return orjson.loads(b"[" + await answer)[0]

    async def admitted(self, token: str) -> None:
        """Wait for Engine.IO's open, then connect with a token."""
        assert self._transport is not None
        async with asyncio.timeout(_CONNECT_SECONDS):
            await self._opened
            connect = b"40" + orjson.dumps({"token": token})
            self._transport.send(WSMsgType.TEXT, connect)
            await self._admitted

    def stop_reading(self) -> None:
        """Leave what comes in the kernel's buffers."""
        assert self._transport is not None
        self._transport.underlying_transport.pause_reading()

    def start_reading(self) -> None:
        """Read again."""
        assert self._transport is not None
        self._transport.underlying_transport.resume_reading()

    def socket(self) -> socket.socket:
        """Return the socket below, to look at, not to use."""
        assert self._transport is not None
        found = self._transport.underlying_transport.get_extra_info("socket")
        assert found is not None
        return cast("socket.socket", found)

    def abort(self) -> None:
        """Cut the connection, as a lost network does."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.disconnect()


async def open_client(
    socket_url: str, token: str, on_sent: Callable[[bytes], None] | None = None
) -> RawClient:
    """Open a socket and connect it; see `RawClient` for ``on_sent``."""
    url = f"{socket_url}/socket.io/?EIO=4&transport=websocket"
    _, client = await ws_connect(
        lambda: RawClient(on_sent),
        url,
        enable_auto_pong=True,
        read_buffer_init_size=4096,
    )
    assert isinstance(client, RawClient)
    await client.admitted(token)
    return client


async def open_clients(
    socket_url: str,
    tokens: Sequence[str],
    on_sent: Callable[[bytes], None] | None = None,
) -> list[RawClient]:
    """Open a socket for each token, some at a time; in the order of the tokens."""
    turns = asyncio.Semaphore(_OPENING_AT_ONCE)

    async def open_one(token: str) -> RawClient:
        async with turns:
            return await open_client(socket_url, token, on_sent)

    async with asyncio.TaskGroup() as tasks:
        opening = [tasks.create_task(open_one(token)) for token in tokens]
    return [task.result() for task in opening]
