"""The connections to the instances of all services, kept and used again."""

import asyncio
import errno
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from services.gateway.proxy.answer import NotReachedError
from services.gateway.proxy.connection import Connection

_CONNECT_SECONDS = 1.0
_WAIT_SECONDS = 2.0
_CONNECTIONS_MAX = 256
_KEEPALIVE_SECONDS = 15.0  # less than the services' 30: the gateway closes first


class Origin:
    """One instance's connections.

    Args:
        base_url: ``http://host:port`` or ``https://...``.
        make_room: Called when this process has no descriptor left for another one.
    """

    def __init__(self, base_url: str, make_room: Callable[[], None]) -> None:
        parts = urlsplit(base_url)
        is_secure = parts.scheme == "https"
        self._host = parts.netloc.encode("ascii")
        self._address = parts.hostname or "", parts.port or (443 if is_secure else 80)
        self._tls = ssl.create_default_context() if is_secure else None
        self._make_room = make_room
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_unused(self) -> bool:
        """Whether it has no connection at all."""
        return not (self._open or self._opening)

    async def take(self) -> Connection:
        """Return a connection for one request, the one used last if any is free.

        Raises:
            NotReachedError: None can be opened, or none came free in time.
        """
        connection = self._kept()
        if connection is not None:
            return connection
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while len(self._open) + self._opening >= _CONNECTIONS_MAX:
                    await self._turn()
                    connection = self._kept()
                    if connection is not None:
                        return connection
        except TimeoutError as error:
            raise NotReachedError("all connections are busy") from error
        return await self._opened()

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request, or close it."""
        if connection.release():
            self._idle.append(connection)
            self._wake_one()

    def close_idle(self, seconds: float = 0.0) -> None:
        """Close what has been idle for so long."""
        until = asyncio.get_running_loop().time() - seconds
        for connection in [one for one in self._idle if one.idle_since <= until]:
            self._idle.remove(connection)
            connection.abort()

    def abort(self) -> None:
        """Close everything."""
        for connection in list(self._open):
            connection.abort()

    def _kept(self) -> Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            is_fresh = now - connection.idle_since < _KEEPALIVE_SECONDS
            if is_fresh and not connection.has_news():
                return connection
            connection.abort()
        return None

    async def _opened(self) -> Connection:
        loop = asyncio.get_running_loop()
        self._opening += 1
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._host, self._ended),
                    *self._address,
                    ssl=self._tls,
                )
        except (OSError, TimeoutError) as error:
            if isinstance(error, OSError) and error.errno == errno.EMFILE:
                self._make_room()
            raise NotReachedError(type(error).__name__) from error
        finally:
            self._opening -= 1
            self._wake_one()
        if connection.is_open:
            self._open.add(connection)
        return connection

    async def _turn(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._wake_one()  # it was this one's turn: the next one's now
            raise

    def _wake_one(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _ended(self, connection: Connection) -> None:
        self._open.discard(connection)
        with suppress(ValueError):
            self._idle.remove(connection)
        self._wake_one()


class Pool:
    """The connections to everything that is asked."""

    def __init__(self) -> None:
        self._origins: dict[str, Origin] = {}

    def origin(self, base_url: str) -> Origin:
        """Return the connections to an instance; its first mention makes them."""
        origin = self._origins.get(base_url)
        if origin is None:
            origin = self._origins[base_url] = Origin(base_url, self.close_idle)
        return origin

    def sweep(self) -> None:
        """Close what has been idle too long, and forget instances that are gone."""
        for base_url, origin in list(self._origins.items()):
            origin.close_idle(_KEEPALIVE_SECONDS)
            if origin.is_unused:
                del self._origins[base_url]

    def close_idle(self) -> None:
        """Close all that is idle now, whatever it leads to."""
        for origin in self._origins.values():
            origin.close_idle()

    def abort(self) -> None:
        """Close every connection."""
        for origin in self._origins.values():
            origin.abort()


@asynccontextmanager
async def open_pool() -> AsyncIterator[Pool]:
    """Yield a pool; leaving closes every connection."""
    pool = Pool()
    sweeping = asyncio.create_task(_sweep(pool), name="upstream-pool")
    try:
        yield pool
    finally:
        sweeping.cancel()
        pool.abort()


async def _sweep(pool: Pool) -> None:
    while True:
        await asyncio.sleep(_KEEPALIVE_SECONDS / 3)
        pool.sweep()
