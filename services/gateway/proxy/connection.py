"""One HTTP/1.1 connection to a service.

Made for one thing: a request whose headers are ready, and an answer that is passed on
(ADR 0042). llhttp reads what comes, so what an answer is, is not decided here. A
connection is used again only after an answer that ended where it said it would.
"""

import asyncio
import select
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import cast

from httptools import HttpParserError, HttpResponseParser

from libs.chassis.asgi import Headers
from services.gateway.proxy.answer import (
    Answer,
    BrokenOffError,
    NotReachedError,
    Times,
)

_HEAD_MAX_BYTES = 16_384  # as much as clients may send (HT-1)
_INTERIM_BELOW = 200
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_PRECISION_SECONDS = 0.001


class Connection(asyncio.Protocol):
    """A connection; one request at a time.

    Args:
        host: Value of ``Host``.
        is_closed: Called once when it has ended, whoever ended it.

    Attributes:
        host: As given.
        is_open: Whether a request may be sent.
        idle_since: Time of the loop at which the last answer ended.
    """

    def __init__(self, host: bytes, is_closed: Callable[["Connection"], None]) -> None:
        self.host = host
        self._loop = asyncio.get_running_loop()
        self._is_closed = is_closed
        self._parser = HttpResponseParser(self)
        self._answer: Answer | None = None
        self._head_bytes = 0
        self._is_interim = self._is_paused = self._ends_with_connection = False
        self._upload: asyncio.Task[None] | None = None
        self._may_write: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._times = Times(0.0)
        self._active_at = self._ends_at = self._paused_at = 0.0
        self.is_open = False
        self.idle_since = 0.0

    async def ask(
        self,
        head: bytes,
        body: bytes | AsyncIterator[bytes],
        times: Times,
        *,
        is_chunked: bool = False,
        is_bodiless: bool = False,
    ) -> Answer:
        """Send a request; return the answer as soon as its headers are there.

        Args:
            head: Request line and headers, with the empty line.
            body: What follows. One that is streamed is sent while the answer is
                waited for; who is answered early stops sending.
            times: Within which the answer has to come.
            is_chunked: Whether the parts of the body are to be framed as chunks.
            is_bodiless: Whether the answer has no body whatever it declares (HEAD).

        Raises:
            NotReachedError: The connection has ended already; nothing was sent.
            BrokenOffError: The service closed, or spoke no HTTP.
            TimeoutError: It let the time pass.
            Exception: What reading the streamed body raised.
        """
        answer = self._answer = Answer(self._read_on, is_bodiless=is_bodiless)
        if not self.is_open:
            raise NotReachedError("closed")  # as soon as it was opened
        self._head_bytes = 0
        self._times = times
        self._begin_waiting()
        self._watch(times.part_seconds)
        if isinstance(body, bytes):
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            sending = self._send(body, answer, is_chunked=is_chunked)
            self._upload = self._loop.create_task(sending, name="upstream-upload")
        await answer.begun()
        return answer

    def has_news(self) -> bool:
        """Tell whether the service closed or said anything since the last answer.

        The system is asked, for the loop may not have come to it. What is sent into a
        connection that its service has closed is lost, and not every request may be
        sent twice (RFC 9112, section 9.3.1).
        """
        is_ending = not self.is_open or self._transport.is_closing()
        return is_ending or bool(self._poll.poll(0))

    def release(self) -> bool:
        """End the request; tell whether the connection can take another one."""
        answer, self._answer = self._answer, None
        is_clean = answer is not None and answer.is_complete and answer.is_reusable
        is_clean = is_clean and not self._is_paused  # who left has not taken it all
        if not is_clean or self._upload is not None or not self.is_open:
            self.abort()
            return False
        if answer is not None and answer.is_bodiless:
            self._parser = HttpResponseParser(self)  # the old one waits for a body
        self.idle_since = self._loop.time()
        return True

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
        if self._upload is not None:
            self._upload.cancel()
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's own class, of the same shape.
        self._transport = cast("asyncio.Transport", transport)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN)
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way; some answers end like this in good order."""
        self.is_open = False
        answer = self._answer
        if answer is not None:
            if exc is None and answer.status and self._ends_with_connection:
                answer.complete()
            answer.fail(BrokenOffError("closed"))
        self.resume_writing()
        self._is_closed(self)

    def data_received(self, data: bytes) -> None:
        """Read on in the answer."""
        answer = self._answer
        if answer is None:
            self.abort()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            answer.fail(BrokenOffError("no HTTP"))
            self.abort()
            return
        if answer.status:
            self._active_at = self._loop.time()
        else:
            self._head_bytes += len(data)  # a line that has not ended counts too
            if self._head_bytes > _HEAD_MAX_BYTES:
                answer.fail(BrokenOffError("endless headers"))
                self.abort()

    def pause_writing(self) -> None:
        """Hold up the upload: the service does not read."""
        self._may_write = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let the upload go on."""
        if self._may_write is not None and not self._may_write.done():
            self._may_write.set_result(None)
        self._may_write = None

    # What the parser calls; what is raised here ends the connection.

    def on_message_begin(self) -> None:
        """Make ready for an answer; a second one was not asked for."""
        if self._answer is None or self._answer.status:
            raise BrokenOffError("a second answer")
        self._headers: Headers = []
        self._headers_bytes = 0
        self._length: int | None = None
        self._is_chunked = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header; one after the body is a trailer, and says nothing."""
        self._headers_bytes += len(name) + len(value)
        if self._headers_bytes > _HEAD_MAX_BYTES:
            raise BrokenOffError("endless headers")
        if self._answer is None or self._answer.status:
            return
        name = name.lower()
        self._headers.append((name, value))
        if name == b"content-length":
            self._length = int(value)
        elif name == b"transfer-encoding":
            self._is_chunked = True
            if value.lower() != b"chunked":
                raise BrokenOffError("a coding that was not asked for")

    def on_headers_complete(self) -> None:
        """Begin the answer; what comes before the real one is passed over."""
        answer, status = self._answer, self._parser.get_status_code()
        self._is_interim = status < _INTERIM_BELOW
        if answer is None or self._is_interim:
            return
        has_end = self._length is not None or self._is_chunked
        self._ends_with_connection = not has_end and status not in _BODILESS
        if self._upload is not None:
            self._begin_waiting()  # the service does not wait for the rest
        answer.begin(status, self._headers, self._length)
        answer.is_reusable = self._parser.should_keep_alive()
        if answer.is_bodiless:
            answer.complete()

    def on_body(self, part: bytes) -> None:
        """Take a part of the body, and no more if nobody takes it away."""
        answer = self._answer
        if answer is None or answer.is_complete:
            raise BrokenOffError("more than was declared")
        if answer.add(part) and not self._is_paused:
            self._is_paused, self._paused_at = True, self._loop.time()
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """End the answer."""
        if self._answer is not None and not self._is_interim:
            self._answer.complete()

    def _read_on(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._active_at = self._loop.time()
            self._ends_at += self._active_at - self._paused_at
            if self.is_open:
                self._transport.resume_reading()

    def _begin_waiting(self) -> None:
        self._active_at = self._loop.time()
        self._ends_at = self._active_at + self._times.whole_seconds

    def _watch(self, seconds: float) -> None:
        """Look at the time so much later; an earlier look does as well.

        Requests follow each other faster than they run out of time: a timer for each
        would be made and unmade for nothing.
        """
        if self._timer is not None:
            if self._timer.when() <= self._loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._on_timer)

    def _on_timer(self) -> None:
        answer, self._timer = self._answer, None
        if answer is None:
            return
        now, allowed = self._loop.time(), self._times.part_seconds
        left = min(self._active_at + allowed, self._ends_at) - now
        if self._is_paused or (self._upload is not None and not answer.status):
            left = allowed  # the client is waited for, under limits of its own
        if left > _PRECISION_SECONDS:
            self._watch(left)
            return
        answer.fail(TimeoutError())
        self.abort()

    async def _send(
        self, body: AsyncIterator[bytes], answer: Answer, *, is_chunked: bool
    ) -> None:
        try:
            async for part in body:
                if self._may_write is not None:
                    await self._may_write
                if not self.is_open:
                    return  # who waits for the answer knows
                self._transport.write(_chunk(part) if is_chunked else part)
            if is_chunked:
                self._transport.write(b"0\r\n\r\n")
        except Exception as error:  # noqa: BLE001 - raised where the answer is awaited
            answer.fail(error)
        if not answer.status:
            self._begin_waiting()
        self._upload = None


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)
