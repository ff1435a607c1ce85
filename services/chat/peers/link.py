"""Links to the other chat processes, and what waits for their answers."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
import structlog
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from libs.events.tracing import current_cause
from libs.kernel import Clock
from services.chat.domain.errors import WriterBusyError
from services.chat.domain.message import Draft, Message
from services.chat.peers.wire import (
    FRAME_BYTES,
    MESSAGES_MAX,
    PATH,
    Asked,
    News,
    decode_told,
    encode,
)
from services.chat.ports.partitions import Peer, PeerLostError, ToldMessage

_CONNECT_SECONDS = 2.0
_ANSWER_SECONDS = 3.0
_PACE_SECONDS = 0.004
_WAITING_MAX = 4_000
_log = structlog.get_logger()

OnNews = Callable[[Sequence[ToldMessage]], None]


class PeerLinks:
    """Implements `Peers`.

    Args:
        token: Returns an internal token for chat, to open a link with.
        clock: Measures how long an answer takes.
    """

    def __init__(self, token: Callable[[], str], clock: Clock) -> None:
        self._token = token
        self._clock = clock
        self._on_news: OnNews = lambda _: None
        self._links: dict[str, _Link] = {}
        self._opening: dict[str, asyncio.Task[None]] = {}

    def keep(self, peers: Iterable[Peer]) -> None:
        """Hold a link to each of these and to no other; looks after late answers."""
        wanted = {peer.process_id: peer for peer in peers}
        for process_id in [*self._links, *self._opening]:
            if process_id not in wanted:
                self._drop(process_id)
        for process_id, peer in wanted.items():
            link = self._links.get(process_id)
            if link is not None and link.is_open:
                link.look()
            elif process_id not in self._opening:
                task = asyncio.get_running_loop().create_task(self._open(peer))
                self._opening[process_id] = task

    async def send(self, peer: Peer, draft: Draft) -> Message:
        """Let another process append a draft; messages keep their order.

        Raises:
            PeerLostError: No link, it broke, or no answer in 3 to 4 s.
            WriterBusyError: Too many messages wait for this process already.
            AppError: What its writer told.
        """
        link = self._links.get(peer.process_id)
        if link is None:
            raise PeerLostError
        return await link.ask(draft)

    def on_news(self, callback: OnNews) -> None:
        """Call back with the messages that another process has just committed."""
        self._on_news = callback

    def _news(self, messages: Sequence[ToldMessage]) -> None:
        self._on_news(messages)

    async def aclose(self) -> None:
        """Close every link; who waits writes itself."""
        for process_id in [*self._links, *self._opening]:
            self._drop(process_id)
        await asyncio.sleep(0)

    def _drop(self, process_id: str) -> None:
        link = self._links.pop(process_id, None)
        if link is not None:
            link.close()
        task = self._opening.pop(process_id, None)
        if task is not None:
            task.cancel()

    async def _open(self, peer: Peer) -> None:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, link = await ws_connect(
                    lambda: _Link(self._clock, self._news),
                    f"ws://{peer.address}{PATH}",
                    extra_headers={"Authorization": f"Bearer {self._token()}"},
                    max_frame_size=FRAME_BYTES,
                )
        except (OSError, TimeoutError, WSError) as error:
            _log.warning("peer_not_reached", error=type(error).__name__)
        else:
            assert isinstance(link, _Link)  # noqa: S101 - the factory's
            self._links[peer.process_id] = link
        finally:
            self._opening.pop(peer.process_id, None)


class _Waiting(NamedTuple):
    """A draft under way."""

    number: int
    since: float
    answer: asyncio.Future[Message]


class _Link(WSListener):
    """One connection to an owner."""

    def __init__(self, clock: Clock, on_news: OnNews) -> None:
        self._clock = clock
        self._on_news = on_news
        self._transport: WSTransport | None = None
        self._asked: list[Asked] = []
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._by_age: deque[_Waiting] = deque()
        self._last = 0
        self._flushed_at = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._transport is not None

    async def ask(self, draft: Draft) -> Message:
        """Send a draft and return its answer."""
        if self._transport is None:
            raise PeerLostError
        if len(self._waiting) >= _WAITING_MAX:
            raise WriterBusyError
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Message] = loop.create_future()
        self._last += 1
        self._waiting[self._last] = answer
        self._by_age.append(_Waiting(self._last, self._clock.monotonic(), answer))
        if not self._asked:
            self._flush_soon(loop)
        self._asked.append(Asked(self._last, draft, current_cause()))
        return await answer

    def look(self) -> None:
        """Give up what has waited for too long; called about once a second."""
        late = self._clock.monotonic() - _ANSWER_SECONDS
        while self._by_age and (
            self._by_age[0].answer.done() or self._by_age[0].since < late
        ):
            waiting = self._by_age.popleft()
            self._waiting.pop(waiting.number, None)
            _lose(waiting.answer)

    def close(self) -> None:
        """Close it; everything that waits is lost."""
        if self._transport is not None:
            self._transport.disconnect()
        self._lose_all()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Lose everything that waits."""
        del transport
        self._lose_all()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Hand out answers."""
        if frame.msg_type != WSMsgType.BINARY:
            return
        try:
            told = decode_told(frame.get_payload_as_memoryview())
        except msgspec.DecodeError:
            _log.error("peer_frame_undecodable")
            transport.disconnect()
            return
        if isinstance(told, News):
            # Answers that came before it wake their senders first.
            asyncio.get_running_loop().call_soon(self._on_news, told.messages)
            return
        for answered in told.answers:
            future = self._waiting.pop(answered.number, None)
            if future is None or future.done():
                continue
            if answered.message is not None:
                future.set_result(answered.message)
            elif answered.refused is not None:
                future.set_exception(answered.refused.error())

    def _flush_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """At once after a pause; else what comes meanwhile shares a frame.

        What a frame costs both sides is a turn of the loop and a system call or two,
        several times what is in it; the owner gathers for longer than this anyway.
        """
        wait_seconds = self._flushed_at + _PACE_SECONDS - loop.time()
        if wait_seconds > 0:
            loop.call_later(wait_seconds, self._flush)
        else:
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushed_at = asyncio.get_running_loop().time()
        asked, self._asked = self._asked, []
        transport = self._transport
        if transport is None:
            return
        for start in range(0, len(asked), MESSAGES_MAX):
            part = asked[start : start + MESSAGES_MAX]
            transport.send(WSMsgType.BINARY, encode(part))

    def _lose_all(self) -> None:
        self._transport = None
        waiting, self._waiting = self._waiting, {}
        self._by_age.clear()
        for answer in waiting.values():
            _lose(answer)


def _lose(answer: asyncio.Future[Message]) -> None:
    if not answer.done():
        answer.set_exception(PeerLostError())
