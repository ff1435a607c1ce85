"""A body between the socket that it comes from and the coroutine that takes it."""

import asyncio
from collections.abc import Callable


class Incoming:
    """A body that comes part by part, to one who waits for it.

    Args:
        read_on: Called when there is room again for what `add` said is enough.
        buffer_max_bytes: Above it nothing more is wanted for now.

    Attributes:
        is_complete: Whether its last byte is there.
    """

    __slots__ = (
        "_buffer_max_bytes",
        "_buffered_bytes",
        "_parts",
        "_read_on",
        "_waiter",
        "is_complete",
    )

    def __init__(self, read_on: Callable[[], None], buffer_max_bytes: int) -> None:
        self._read_on = read_on
        self._buffer_max_bytes = buffer_max_bytes
        self._buffered_bytes = 0
        self._parts: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self.is_complete = False

    def add(self, part: bytes) -> bool:
        """Take a part of the body; tell whether it is enough for now."""
        self._parts.append(part)
        self._buffered_bytes += len(part)
        self._wake()
        return self._buffered_bytes > self._buffer_max_bytes

    def complete(self) -> None:
        """Note that the last byte is there."""
        self.is_complete = True
        self._wake()

    def _take(self) -> bytes:
        """Return all that is there, and make room for more."""
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._buffered_bytes = 0
        self._read_on()
        return body

    def _more(self) -> asyncio.Future[None]:
        """Return what is done as soon as anything has changed."""
        self._waiter = asyncio.get_running_loop().create_future()
        return self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
