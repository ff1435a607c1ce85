"""One request and its answer, between a connection and an ASGI application."""

import asyncio
from http import HTTPMethod, HTTPStatus
from typing import Protocol

from libs.chassis.asgi import Headers, Message
from services.gateway.proxy.incoming import Incoming

_BUFFER_MAX_BYTES = 65_536
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode("ascii")
    for status in HTTPStatus
}


class BadAnswerError(Exception):
    """What an application sends is no answer: its connection is closed."""


class Line(Protocol):
    """What a call needs of its connection.

    Attributes:
        drained: Done when there is room for more; None: there is.
        is_last: Whether no other request follows on it.
    """

    drained: asyncio.Future[None] | None
    is_last: bool

    def write(self, answer: bytes) -> None:
        """Send bytes."""

    def read_on(self) -> None:
        """Take more of the request's body."""

    def date(self) -> bytes:
        """Return the header ``Date`` of an answer that begins now."""

    def answered(self) -> None:
        """Note that the last byte of the answer was sent."""


class Call(Incoming):
    """One request; `receive` and `send` are what an application gets of it.

    Args:
        line: Its connection.
        method: As received.
        is_old: Whether the client cannot read chunks (HTTP/1.0).
        expects_continue: Whether the client waits for a word before it sends the body.

    Attributes:
        is_started: Whether anything of the answer was sent.
        is_answered: Whether all of it was.
        task: In which it is served, kept here because the loop does not keep it.
    """

    __slots__ = (
        "_expects_continue",
        "_is_bodiless",
        "_is_chunked",
        "_is_gone",
        "_is_old",
        "_is_taken",
        "_left",
        "_line",
        "_start",
        "is_answered",
        "is_started",
        "task",
    )

    def __init__(
        self, line: Line, method: str, *, is_old: bool, expects_continue: bool
    ) -> None:
        super().__init__(line.read_on, _BUFFER_MAX_BYTES)
        self._line = line
        self._is_old = is_old
        self._is_bodiless = method == HTTPMethod.HEAD
        self._expects_continue = expects_continue
        self.task: asyncio.Task[None] | None = None
        self._start: Message | None = None
        self._left: int | None = None
        self._is_taken = self._is_gone = self._is_chunked = False
        self.is_started = self.is_answered = False

    def leave(self) -> None:
        """Note that nothing more comes from the client."""
        self._is_gone = True
        self._wake()

    async def receive(self) -> Message:
        """Return the next part of the body; after the last, wait for the client to go.

        A body that breaks off is a client that has gone, and so is one that has its
        answer.
        """
        while not (self._is_gone or (self.is_answered and self._is_taken)):
            if self._parts or (self.is_complete and not self._is_taken):
                return self._part()
            if self._expects_continue and not self.is_started:
                self._expects_continue = False
                self._line.write(_CONTINUE)
            await self._more()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send a part of the answer; what a client that has gone misses is nothing.

        Raises:
            BadAnswerError: It is not the answer that it began to be, or goes on after
                its end, where the next one begins.
        """
        if self.is_answered:
            raise BadAnswerError("more than the whole")
        if message["type"] == "http.response.start":
            self._start = message
            return
        body = message.get("body", b"")
        is_last = not message.get("more_body", False)
        head = b"" if self.is_started else self._head(len(body) if is_last else None)
        self.is_started = True
        answer = head + self._framed(body, is_last=is_last)
        if answer:
            self._line.write(answer)
        if is_last:
            self.is_answered = True
            self._wake()
            self._line.answered()
        elif self._line.drained is not None:
            await self._line.drained

    def _part(self) -> Message:
        self._is_taken = self.is_complete
        return {
            "type": "http.request",
            "body": self._take(),
            "more_body": not self.is_complete,
        }

    def _head(self, length: int | None) -> bytes:
        """Return status line and headers, and note how the body is framed.

        Args:
            length: Of a body that is sent at once; None for one in parts.
        """
        if self._start is None:
            raise BadAnswerError("a body without a start")
        status: int = self._start["status"]
        lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status]
        lines += self._fields(self._start.get("headers", []))
        self._is_bodiless |= status in _BODILESS
        if self._left is None and not self._is_bodiless:
            lines += self._framing(length)
        if self._line.is_last:
            lines.append(b"connection: close")
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
            raise BadAnswerError("a header holds a line break")
        return head

    def _fields(self, headers: Headers) -> list[bytes]:
        """Return the lines of headers; one that has no date gets the one of now."""
        lines, has_date = [], False
        for name, value in headers:
            if name == b"connection":
                self._line.is_last |= value == b"close"
                continue
            if name == b"content-length":
                self._left = int(value)
            has_date |= name == b"date"
            lines.append(b"%b: %b" % (name, value))
        if not has_date:
            lines.append(self._line.date())
        return lines

    def _framing(self, length: int | None) -> list[bytes]:
        self._left = length
        if length is not None:
            return [b"content-length: %d" % length]
        self._is_chunked = not self._is_old
        return [b"transfer-encoding: chunked"] if self._is_chunked else []

    def _framed(self, body: bytes, *, is_last: bool) -> bytes:
        if self._is_bodiless:
            return b""
        if self._is_chunked:
            part = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return part + b"0\r\n\r\n" if is_last else part
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (is_last and self._left):
                raise BadAnswerError("not as long as it declared")
        return body
