"""The request's body, under its route's limits."""

import asyncio
from collections.abc import AsyncIterator

from libs.chassis.asgi import Receive, Scope
from libs.kernel import InvalidError
from services.gateway.domain.errors import (
    BodyTimeoutError,
    BodyTooLargeError,
    ClientGoneError,
)
from services.gateway.domain.headers import first
from services.gateway.domain.route import Route

_BUFFERED_MAX_BYTES = 65_536


class RequestBody:
    """A request's body: read once, within the route's size and time.

    Attributes:
        declared_bytes: ``Content-Length``, or None for a body of unknown length.
        is_empty: Whether there is none.
        received_bytes: So far.
        failure: Why reading ended early; set before the reader sees the error,
            because the client library wraps what a body raises.
    """

    def __init__(self, scope: Scope, receive: Receive, route: Route) -> None:
        self._receive = receive
        self._max_bytes = route.body_max_bytes
        self._timeout_seconds = route.body_timeout_seconds
        self.received_bytes = 0
        self.failure: Exception | None = None
        self._end = asyncio.Event()
        self._whole: bytes | None = None
        self.declared_bytes = _declared(first(scope["headers"], b"content-length"))
        is_chunked = first(scope["headers"], b"transfer-encoding") is not None
        if is_chunked and self.declared_bytes is not None:
            # Two lengths are two readings of where the request ends (HT-4).
            raise InvalidError("request_ambiguous", "The body has two lengths.")
        self.is_empty = not is_chunked and not self.declared_bytes
        if (self.declared_bytes or 0) > self._max_bytes:
            raise BodyTooLargeError(self._max_bytes)

    @property
    def is_small(self) -> bool:
        """Whether it is known to fit into one piece of memory."""
        if self.declared_bytes is None:
            return self.is_empty
        return self.declared_bytes <= _BUFFERED_MAX_BYTES

    @property
    def is_received(self) -> bool:
        """Whether the client has nothing more to send."""
        return self.is_empty or self._end.is_set()

    async def read(self) -> bytes:
        """Return the whole of a small body, the second time too.

        Raises:
            BodyTimeoutError, BodyTooLargeError, ClientGoneError: As they say.
        """
        if self.is_empty:
            return b""
        if self._whole is None:
            self._whole = b"".join([part async for part in self.stream()])
        return self._whole

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the body's parts as they come.

        Raises:
            BodyTimeoutError, BodyTooLargeError, ClientGoneError: As they say.
        """
        # One deadline for the whole loop: a drip of single bytes never trips a
        # timeout between two reads (security.md, finding 1).
        deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        while not self._end.is_set():
            part = await self._next(deadline)
            if part:
                yield part

    async def gone(self) -> None:
        """Return when the client has gone away; the body is read by others."""
        if not self.is_empty:
            await self._end.wait()  # only one may receive at a time
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next(self, deadline: float) -> bytes:
        try:
            async with asyncio.timeout_at(deadline):
                message = await self._receive()
        except TimeoutError:
            raise self._failed(BodyTimeoutError()) from None
        if message["type"] == "http.disconnect":
            raise self._failed(ClientGoneError())
        part: bytes = message.get("body", b"")
        self.received_bytes += len(part)
        if (
            self.declared_bytes is not None
            and self.received_bytes > self.declared_bytes
        ):
            raise self._failed(
                InvalidError("request_ambiguous", "The body is longer than declared.")
            )
        if self.received_bytes > self._max_bytes:
            raise self._failed(BodyTooLargeError(self._max_bytes))
        if not message.get("more_body", False):
            if self.received_bytes < (self.declared_bytes or 0):
                # The service would take the next request for the rest of this one.
                raise self._failed(ClientGoneError())
            self._end.set()
        return part

    def _failed(self, error: Exception) -> Exception:
        self.failure = error
        return error


def _declared(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit():
        raise InvalidError("content_length_invalid", "Content-Length is no number.")
    return int(value)
