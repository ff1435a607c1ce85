"""One WebSocket: picows callbacks to ASGI messages, within its limits."""

import asyncio
import struct
from collections.abc import Callable, Iterable
from socket import SO_LINGER, SOL_SOCKET

import orjson
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport
from prometheus_client import Counter

from libs.chassis.asgi import Message, Scope
from services.chat.listener.inbox import Inbox
from services.chat.listener.limits import SocketLimits
from services.chat.listener.outgoing import LoopTurn, joined

_EVENT = "42"
_INBOX = 64
_NO_LINGER = struct.pack("ii", 1, 0)  # on, for no time: a reset, not an orphan
_CLOSED = Counter("chat_socket_closed_total", "Sockets closed by us", ["reason"])


class Connection(WSListener):
    """Implements `ClientSocket` on a picows transport.

    Args:
        limits: Bounds of this socket.
        scope: ASGI scope of the handshake.
        address: Where the client comes from.
        turn: Flushes what is sent, once in a turn of the loop.
        on_open: Starts the ASGI app with this connection.
        on_admitted: Hears that the client is authenticated.
        on_closed: Hears that it is gone.
    """

    def __init__(
        self,
        limits: SocketLimits,
        scope: Scope,
        address: str,
        *,
        turn: LoopTurn,
        on_open: "Callable[[Connection], None]",
        on_admitted: "Callable[[Connection], None]",
        on_closed: "Callable[[Connection], None]",
    ) -> None:
        self.scope = scope
        self.client_address = address
        self.is_admitted = False
        self._limits = limits
        self._turn = turn
        self._frames: list[bytes] = []
        self._on_open = on_open
        self._on_admitted = on_admitted
        self._on_closed = on_closed
        self._inbox = Inbox()
        self._on_event: Callable[[str], None] | None = None
        self._farewell: Callable[[], Iterable[bytes]] = tuple
        self._transport: WSTransport | None = None
        self._fragments: list[bytes] = []
        self._fragments_bytes = 0
        self._is_fragmented = False
        self._unsent_events = 0
        self._stalled: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._is_closing = False

    # What the Socket.IO layer calls.

    def admit(
        self,
        on_event: Callable[[str], None],
        farewell: Callable[[], Iterable[bytes]] = tuple,
    ) -> None:
        """Let the authenticated client send events; see `ClientSocket`."""
        self.is_admitted = True
        self._on_event = on_event
        self._farewell = farewell
        if self._deadline is not None:
            self._deadline.cancel()
        self._on_admitted(self)

    def send_frame(self, frame: bytes) -> None:
        """Write one text frame, with the others of this turn of the loop.

        A client that does not read is evicted.
        """
        transport = self._transport
        if transport is None or self._is_closing:
            return
        if self._stalled is not None:
            self._unsent_events += 1
            unsent_bytes = transport.underlying_transport.get_write_buffer_size()
            unsent_bytes += sum(map(len, self._frames))
            if (
                self._unsent_events > self._limits.unsent_events
                or unsent_bytes + len(frame) > self._limits.unsent_bytes
            ):
                self._end("unread")
                return
        if not self._frames:
            self._turn.add(self)
        self._frames.append(frame)

    def flush(self) -> None:
        """Write what was sent in this turn."""
        frames, self._frames = self._frames, []
        transport = self._transport
        if transport is None or not frames:
            return
        if len(frames) == 1:
            transport.send(WSMsgType.TEXT, frames[0])
        else:
            transport.underlying_transport.write(joined(frames))

    def close(self) -> None:
        """Close in good order, after what was written."""
        self._close(WSCloseCode.OK)

    def abort(self) -> None:
        """Cut the connection at once, whatever is unsent: the kernel's part too."""
        self._is_closing = True
        self._frames.clear()
        if self._transport is not None:
            underlying = self._transport.underlying_transport
            socket = underlying.get_extra_info("socket")
            socket.setsockopt(SOL_SOCKET, SO_LINGER, _NO_LINGER)
            self._transport.disconnect(graceful=False)

    # What the ASGI app calls.

    async def receive(self) -> Message:
        """Return the next ASGI message."""
        return await self._inbox.get()

    async def send(self, message: Message) -> None:
        """Take an ASGI message."""
        if message["type"] == "websocket.send":
            text = message.get("text")
            if text is not None:
                self.send_frame(text.encode())
        elif message["type"] == "websocket.close":
            self.close()

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Start the app, and the time to authenticate."""
        self._transport = transport
        self._inbox.put({"type": "websocket.connect"})
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(
            self._limits.authenticate_seconds, self._not_authenticated
        )
        self._on_open(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Check a frame and hand on whole messages; who was sent away is not heard."""
        del transport
        if self._is_closing and frame.msg_type != WSMsgType.CLOSE:
            return
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._refuse(WSCloseCode.PROTOCOL_ERROR, "reserved_bits")
            return
        kind = frame.msg_type
        if kind in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            self._on_text(frame)
        elif kind == WSMsgType.BINARY:
            self._refuse(WSCloseCode.UNSUPPORTED_DATA, "binary")
        elif kind == WSMsgType.CLOSE:
            self._close(WSCloseCode.OK)  # without a code picows answers 0

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Tell the app, and forget everything that waits."""
        del transport
        for timer in (self._deadline, self._stalled):
            if timer is not None:
                timer.cancel()
        self._on_event = None
        self._transport = None
        self._inbox.put({"type": "websocket.disconnect"})
        self._on_closed(self)

    def pause_writing(self) -> None:
        """Begin to count what the client leaves unread."""
        self._unsent_events = 0
        if self._stalled is None:
            loop = asyncio.get_running_loop()
            self._stalled = loop.call_later(
                self._limits.unsent_seconds, self._end, "stalled"
            )

    def resume_writing(self) -> None:
        """Stop counting: the client reads again."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    # Inside.

    def _on_text(self, frame: WSFrame) -> None:
        if (frame.msg_type == WSMsgType.CONTINUATION) != self._is_fragmented:
            self._refuse(WSCloseCode.PROTOCOL_ERROR, "fragment_order")
            return
        limits = self._limits
        limit = limits.message_bytes if self.is_admitted else limits.anonymous_bytes
        self._fragments_bytes += frame.payload_size
        if self._fragments_bytes > limit:
            self._refuse(WSCloseCode.MESSAGE_TOO_BIG, "too_big")
            return
        payload = frame.get_payload_as_bytes()
        if not frame.fin:
            self._is_fragmented = True
            self._fragments.append(payload)
            return
        if self._is_fragmented:
            payload = b"".join([*self._fragments, payload])
            self._fragments.clear()
            self._is_fragmented = False
        self._fragments_bytes = 0
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self._refuse(WSCloseCode.INVALID_TEXT, "not_utf8")
            return
        self._on_message(text)

    def _on_message(self, text: str) -> None:
        """Events go straight to the handlers; all else is engineio's."""
        if text.startswith(_EVENT):
            if self._on_event is None:
                self._refuse(WSCloseCode.POLICY_VIOLATION, "not_authenticated")
            else:
                self._on_event(text[2:])
        elif not _is_control(text) or len(self._inbox) >= _INBOX:
            self._refuse(WSCloseCode.POLICY_VIOLATION, "unexpected_packet")
        else:
            self._inbox.put({"type": "websocket.receive", "text": text})

    def _not_authenticated(self) -> None:
        self._refuse(WSCloseCode.POLICY_VIOLATION, "not_authenticated")

    def _refuse(self, code: WSCloseCode, reason: str) -> None:
        _CLOSED.labels(reason).inc()
        self._close(code)

    def _end(self, reason: str) -> None:
        """Evict: nothing more is written but a farewell, and that has its time.

        Who reads on gets what was written, is told to come back, and resumes by
        revision; who does not is cut.
        """
        transport = self._transport
        if transport is None or self._is_closing:
            return
        _CLOSED.labels(reason).inc()
        self._frames.extend(self._farewell())  # behind what was sent in this turn
        self._leave(transport, WSCloseCode.TRY_AGAIN_LATER, graceful=True)

    def _close(self, code: WSCloseCode) -> None:
        transport = self._transport
        if transport is None or self._is_closing:
            return
        self._leave(transport, code, graceful=self._stalled is None)

    def _leave(
        self, transport: WSTransport, code: WSCloseCode, *, graceful: bool
    ) -> None:
        self.flush()
        self._is_closing = True
        transport.send_close(code)
        if graceful:
            transport.disconnect(graceful=True)
            loop = asyncio.get_running_loop()
            loop.call_later(self._limits.farewell_seconds, self.abort)
        else:
            self.abort()


def _is_control(text: str) -> bool:
    """Tell whether a packet is one that engineio and python-socketio may see.

    CONNECT and DISCONNECT of the default namespace, close, pong. Acknowledgements
    are never asked for, binary packets and other namespaces are not served.
    """
    return text in {"1", "3", "41"} or _is_connect(text)


def _is_connect(text: str) -> bool:
    """Tell whether a packet is a CONNECT of the default namespace with an object."""
    if text == "40":
        return True
    if not text.startswith("40{"):
        return False
    try:
        return isinstance(orjson.loads(text[2:]), dict)
    except orjson.JSONDecodeError:
        return False
