"""One client's HTTP/1.1 connection; one request at a time.

llhttp reads what comes, in its strict form. A request that comes before the one ahead
of it was answered reaches nobody: the connection ends with the answer. The edge never
sends one, so whatever got there so was smuggled behind something else.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from libs.chassis.asgi import Scope
from services.gateway.proxy.front.call import Call
from services.gateway.proxy.front.head import BadHeadError, Head, HeadTooLargeError
from services.gateway.proxy.front.refusal import TooEarlyError, refusal

_HEAD_MAX_BYTES = 262_144  # the edge lets far less through (HT-1); this bounds memory
_HEAD_SECONDS = 10.0
_IDLE_SECONDS = 75.0  # longer than the edge keeps its own: the edge closes first
_STALLED_SECONDS = 60.0
_LINGER_SECONDS = 5.0


class ClientConnection(asyncio.Protocol):
    """A connection.

    Args:
        begin: Has a request served: gets its call and its scope.
        date: See `Line`.
        opened: Told when it is there.
        closed: Told when it has ended, whoever ended it.

    Attributes:
        drained, is_last: See `Line`.
        waits_since: Time of the loop at which what is waited for now began.
    """

    def __init__(
        self,
        begin: Callable[["ClientConnection", Call, Scope], None],
        date: Callable[[], bytes],
        opened: Callable[["ClientConnection"], None],
        closed: Callable[["ClientConnection"], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._begin, self._opened, self._closed = begin, opened, closed
        self._parser = HttpRequestParser(self)
        self._call: Call | None = None
        self._head_bytes, self._came = 0, bytearray()
        self._is_paused = self._is_deaf = self._is_hanging_up = False
        self._ends: Mapping[str, Any] = {}
        self.date = date
        self.drained: asyncio.Future[None] | None = None
        self.is_last = False
        self.waits_since = self._loop.time()

    def is_overdue(self, now: float) -> bool:
        """Tell whether the client has had all the time that it gets.

        For a head from its first byte, the next request, taking an answer, closing.
        """
        if self._is_hanging_up:
            return now - self.waits_since > _LINGER_SECONDS
        if self.drained is not None:
            return now - self.waits_since > _STALLED_SECONDS
        if self._call is not None:
            return False  # the application has deadlines of its own
        limit = _HEAD_SECONDS if self._head_bytes else _IDLE_SECONDS
        return now - self.waits_since > limit

    def finish(self) -> None:
        """End when what is under way is answered."""
        self.is_last = True
        if self._call is None and not self._is_hanging_up:
            self._transport.close()

    def abort(self) -> None:
        """End at once."""
        self._transport.abort()

    def ended(self, call: Call) -> None:
        """Take note that the application has returned."""
        if not call.is_answered:
            self._transport.abort()  # nobody is to take what was sent for the whole
        elif self._call is call:
            self._call = None
            if self._is_deaf or not call.is_complete:
                self._hang_up()
            elif self.is_last:
                self._transport.close()

    # What a call asks.

    def write(self, answer: bytes) -> None:
        """Send bytes; to who has gone, nothing."""
        if not (self._is_hanging_up or self._transport.is_closing()):
            self._transport.write(answer)

    def read_on(self) -> None:
        """Take more of the request's body."""
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def answered(self) -> None:
        """Make ready for the next request, unless the body of this one still comes."""
        if self._call is not None and self._call.is_complete and not self.is_last:
            self._call = None
            self.waits_since = self._loop.time()
            self.read_on()  # a body that nobody wanted does not hold up what follows

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's own class, of the same shape.
        self._transport = cast("asyncio.Transport", transport)
        self._ends = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "scheme": "http",
            "root_path": "",
            "client": _address(transport.get_extra_info("peername")),
            "server": _address(transport.get_extra_info("sockname")),
        }
        self._opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End what is under way."""
        if self._call is not None:
            self._call.leave()
        self.resume_writing()
        self._closed(self)

    def data_received(self, data: bytes) -> None:
        """Read on in the request."""
        if self._is_deaf:
            return
        if self._call is None and self.drained is None and not self._head_bytes:
            self.waits_since = self._loop.time()
        if self._call is None or self._call.is_answered:
            self._keep(data)
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            # Nothing is switched to; what follows is not read.
            self.is_last = self._is_deaf = True
        except HttpParserError as error:
            self._refuse(error.__context__)
        else:
            # Trailers count too: they are kept until they end.
            if self._head_bytes > _HEAD_MAX_BYTES:
                self._refuse(HeadTooLargeError())

    def pause_writing(self) -> None:
        """Hold up the answer: the client does not read."""
        self.drained = self._loop.create_future()
        self.waits_since = self._loop.time()

    def resume_writing(self) -> None:
        """Let the answer go on."""
        if self.drained is not None and not self.drained.done():
            self.drained.set_result(None)
        self.drained = None

    # What the parser calls; what is raised here ends the connection.

    def on_message_begin(self) -> None:
        """Make ready for a request; who has left answers untaken gets no more."""
        if self._call is not None or self.drained is not None:
            raise TooEarlyError
        self._head = Head()

    def on_url(self, part: bytes) -> None:
        """Take a part of the target."""
        self._head.add_target(part)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header; one after the body is a trailer, and says nothing."""
        if self._call is None:
            self._head.add_header(name, value)

    def on_headers_complete(self) -> None:
        """Have the request served."""
        head, parser = self._head, self._parser
        if self._head_bytes > _HEAD_MAX_BYTES and head.size() > _HEAD_MAX_BYTES:
            raise HeadTooLargeError
        if not head.names_http(self._came):
            raise BadHeadError
        self._came.clear()
        self._head_bytes = 0
        version, method = parser.get_http_version(), parser.get_method().decode("ascii")
        scope = head.scope(version, method, self._ends)
        is_old = version == "1.0"
        self.is_last |= is_old or not parser.should_keep_alive()
        waits = head.expects_continue and not is_old  # RFC 9110, section 10.1.1
        self._call = Call(self, method, is_old=is_old, expects_continue=waits)
        self._begin(self, self._call, scope)

    def on_body(self, part: bytes) -> None:
        """Take a part of the body, and no more if nobody takes it away."""
        self._head_bytes = 0
        if self._call is not None and self._call.add(part) and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """End the request; one that was answered early makes way for the next."""
        self._head_bytes = 0
        if self._call is not None:
            self._call.complete()
            if self._call.is_answered:
                self.answered()

    def _keep(self, data: bytes) -> None:
        """Keep what a head comes in until it is whole."""
        if self._call is not None:
            self._came.clear()
        self._came += data

    def _refuse(self, reason: BaseException | None) -> None:
        """Read no more; who is not being answered is told why."""
        self._is_deaf = self.is_last = True
        call = self._call
        if call is None:
            is_large = isinstance(reason, HeadTooLargeError)
            self._transport.write(refusal(431 if is_large else 400))
            self._hang_up()
        elif not call.is_complete:
            call.leave()  # its body cannot be read to the end

    def _hang_up(self) -> None:
        """Say no more, and drop what still comes until the client closes.

        Closing while the client sends would reset the connection, and the answer might
        be lost with it (RFC 9112, section 9.6).
        """
        self._is_deaf = True
        if not self._transport.is_closing():
            self._is_hanging_up = True
            self.waits_since = self._loop.time()
            self._transport.write_eof()
            self.read_on()


def _address(name: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """Return host and port; None: the connection has ended already."""
    return name and name[:2]
