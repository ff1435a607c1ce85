"""Takes messages of other chat processes for the writer of this one."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

import msgspec
import structlog
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)
from prometheus_client import Counter

from libs.chassis.errors import StartError
from libs.chassis.principals import Principal
from libs.chassis.security import TokenInvalidError
from libs.events.tracing import Cause
from libs.kernel import AppError
from services.chat.domain.errors import SendUnconfirmedError
from services.chat.domain.message import Draft, Message
from services.chat.peers.wire import (
    FRAME_BYTES,
    MESSAGES_MAX,
    PATH,
    Answered,
    Answers,
    Asked,
    Refused,
    decode_asked,
    encode,
    news_frames,
)
from services.chat.ports.partitions import ToldMessage

_BEARER = "Bearer "
_DRAIN_SECONDS = 5.0
_UNSENT_BYTES = 4 * 1024 * 1024
_UNTOLD = Counter(
    "chat_writer_untold_commits",
    "Commits of which a process that does not read heard by the broker alone",
)
_log = structlog.get_logger()

logging.getLogger("picows").setLevel(logging.CRITICAL)  # noqa: TID251 - as the public listener

Handshake = WSListener | WSUpgradeResponseWithListener


class QueuedWriter(Protocol):
    """Takes drafts in order; `services.chat.writer.GroupCommitWriter`."""

    def begin(
        self, draft: Draft, cause: Cause | None = None
    ) -> asyncio.Future[Message]:
        """Queue a draft on behalf of whoever sent it elsewhere."""
        ...


class PeerListener:
    """Listens for the other chat processes.

    Args:
        writer: Never forwards what comes from here: wrong owners end here too.
        verify: Tells who an internal token is from.
    """

    def __init__(
        self, writer: QueuedWriter, verify: Callable[[str], Principal]
    ) -> None:
        self._writer = writer
        self._verify = verify
        self._connections: set[_Connection] = set()

    @asynccontextmanager
    async def listening(self, bound: socket.socket) -> AsyncIterator[None]:
        """Listen while the block runs; leaving it answers what was taken, then closes.

        Args:
            bound: From `bound_socket`; closed with the block.
        """
        server = await ws_create_server(
            self._on_handshake, sock=bound, max_frame_size=FRAME_BYTES
        )
        try:
            yield
        finally:
            server.close()
            await self._drain()

    @property
    def are_linked(self) -> bool:
        """Whether another process has its link here."""
        return bool(self._connections)

    def tell(self, messages: Sequence[ToldMessage]) -> None:
        """Tell every other process what was just committed here."""
        if messages and self._connections:
            frames = list(news_frames(messages))
            for connection in tuple(self._connections):
                connection.tell(frames)

    async def _drain(self) -> None:
        for connection in tuple(self._connections):
            await connection.drain(_DRAIN_SECONDS)
            connection.close()

    def _on_handshake(self, request: WSUpgradeRequest) -> Handshake:
        header = request.headers.get("Authorization") or ""
        try:
            principal = self._verify(header.removeprefix(_BEARER))
        except TokenInvalidError as error:
            _log.warning("peer_refused", reason=error.reason)
            return _refusal(401)
        is_peer = principal.is_service and principal.caller == "chat"
        if not is_peer or request.path.decode("latin-1") != PATH:
            return _refusal(403)
        return _Connection(self._writer, self._connections)


class _Connection(WSListener):
    """One other process."""

    def __init__(self, writer: QueuedWriter, open_ones: "set[_Connection]") -> None:
        self._writer = writer
        self._open_ones = open_ones
        self._transport: WSTransport | None = None
        self._answers: list[Answered] = []
        self._waiting: set[asyncio.Future[Message]] = set()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport."""
        self._transport = transport
        self._open_ones.add(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget it; what was taken is committed all the same."""
        del transport
        self._transport = None
        self._open_ones.discard(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take drafts in their order."""
        if frame.msg_type != WSMsgType.BINARY:
            return
        try:
            asked = decode_asked(frame.get_payload_as_memoryview())
        except msgspec.DecodeError:
            _log.error("peer_frame_undecodable")
            transport.disconnect()
            return
        for one in asked:
            self._begin(one)

    def tell(self, frames: Sequence[bytes]) -> None:
        """Write news, behind the answers of this turn; one that hangs is not told."""
        transport = self._transport
        if transport is None:
            return
        self._flush()
        unsent_bytes = transport.underlying_transport.get_write_buffer_size()
        if unsent_bytes > _UNSENT_BYTES:
            _UNTOLD.inc()
            return
        for frame in frames:
            transport.send(WSMsgType.BINARY, frame)

    async def drain(self, seconds: float) -> None:
        """Wait for what was taken, so long at most."""
        if self._waiting:
            await asyncio.wait(tuple(self._waiting), timeout=seconds)
        self._flush()

    def close(self) -> None:
        """Close; the other side writes itself what is not answered."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.disconnect()

    def _begin(self, asked: Asked) -> None:
        try:
            future = self._writer.begin(asked.draft, asked.cause)
        except AppError as error:
            self._answer(Answered(asked.number, refused=Refused.of(error)))
            return
        self._waiting.add(future)
        future.add_done_callback(partial(self._done, asked.number))

    def _done(self, number: int, future: asyncio.Future[Message]) -> None:
        self._waiting.discard(future)
        error = SendUnconfirmedError() if future.cancelled() else future.exception()
        if error is None:
            self._answer(Answered(number, future.result()))
        elif isinstance(error, AppError):
            self._answer(Answered(number, refused=Refused.of(error)))
        else:
            refused = Refused.of(SendUnconfirmedError())
            self._answer(Answered(number, refused=refused))

    def _answer(self, answer: Answered) -> None:
        if not self._answers:
            asyncio.get_running_loop().call_soon(self._flush)
        self._answers.append(answer)

    def _flush(self) -> None:
        answers, self._answers = self._answers, []
        if self._transport is None:
            return
        for start in range(0, len(answers), MESSAGES_MAX):
            part = answers[start : start + MESSAGES_MAX]
            self._transport.send(WSMsgType.BINARY, encode(Answers(part)))


def _refusal(status: int) -> WSUpgradeResponseWithListener:
    response = WSUpgradeResponse.create_error_response(status, b"")
    return WSUpgradeResponseWithListener(response, None)


def bound_socket(host: str, port: int) -> socket.socket:
    """Take a port before anybody is told of it; any free one for 0.

    Raises:
        StartError: The port is taken, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise StartError(f"port {host}:{port} cannot be bound: {error}") from error
    listening.setblocking(False)  # noqa: FBT003 - the standard library's
    return listening
