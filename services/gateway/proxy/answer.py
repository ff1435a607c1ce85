"""What a service answers, while it comes over its connection."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from libs.chassis.asgi import Headers
from services.gateway.proxy.incoming import Incoming

_BUFFER_MAX_BYTES = 262_144


class NotReachedError(Exception):
    """There is no connection to a service; it has seen nothing of the request."""


class BrokenOffError(Exception):
    """A service closed its connection before its answer's end, or spoke no HTTP."""


class Times(NamedTuple):
    """How long an answer may take, after the request's last byte.

    Attributes:
        part_seconds: Until it begins with all of its headers, and between two parts of
            its body.
        whole_seconds: Until its last byte, without the time in which its reader is
            waited for.
    """

    part_seconds: float
    whole_seconds: float = math.inf


class Answer(Incoming):
    """An answer: its headers at once, its body as it comes.

    Args:
        read_on: Called when there is room again for what `add` said is enough.
        is_bodiless: Whether it has no body whatever it declares (HEAD).

    Attributes:
        status: 0 until the headers are there.
        headers: Names in lower case, in the order they came.
        content_length: As declared; None: it does not say.
        is_reusable: Whether another request may follow on the connection.
    """

    __slots__ = (
        "_failure",
        "_whole",
        "content_length",
        "headers",
        "is_bodiless",
        "is_reusable",
        "status",
    )

    def __init__(self, read_on: Callable[[], None], *, is_bodiless: bool) -> None:
        super().__init__(read_on, _BUFFER_MAX_BYTES)
        self._failure: Exception | None = None
        self._whole: bytes | None = None
        self.status = 0
        self.headers: Headers = []
        self.content_length: int | None = None
        self.is_bodiless = is_bodiless
        self.is_reusable = False

    @property
    def content_type(self) -> str:
        """The media type without parameters, in lower case; empty without one."""
        for name, value in self.headers:
            if name == b"content-type":
                return value.partition(b";")[0].strip().lower().decode("latin-1")
        return ""

    async def begun(self) -> None:
        """Return when status and headers are there.

        Raises:
            BrokenOffError, TimeoutError: They will not come; or what ended the request.
        """
        while not self.status:
            await self._more()

    async def read(self) -> bytes:
        """Return the whole body, the second time too.

        Raises:
            BrokenOffError, TimeoutError: It does not come.
        """
        taken: list[bytes] = []
        while self._whole is None:
            if self._parts:
                taken.append(self._take())
            if self.is_complete:
                self._whole = b"".join(taken)
            elif not self._parts:
                await self._more()
        return self._whole

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, holding at most 256 KiB of it.

        Raises:
            BrokenOffError, TimeoutError: The rest does not come.
        """
        while True:
            if self._parts:
                yield self._take()
            elif self.is_complete:
                return
            else:
                await self._more()

    # What its connection says of it.

    def begin(self, status: int, headers: Headers, content_length: int | None) -> None:
        """Take status and headers."""
        self.status, self.headers = status, headers
        self.content_length = content_length
        self._wake()

    def fail(self, error: Exception) -> None:
        """End an answer that will not be complete; the first reason stands."""
        if not self.is_complete and self._failure is None:
            self._failure = error
            self._wake()

    def _more(self) -> asyncio.Future[None]:
        if self._failure is not None:
            raise self._failure
        return super()._more()
