"""Redis (or Valkey): one pool a process, and what its failures mean."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import (
    BusyLoadingError,
    ConnectionError,  # noqa: A004 - redis' own
    InvalidResponse,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    TimeoutError,  # noqa: A004 - redis' own
    TryAgainError,
)

from libs.chassis.errors import StartError
from libs.chassis.live_secrets import live_secret
from libs.chassis.settings import RedisSettings
from libs.kernel import UnavailableError

# An account that is refused, or a server that is none of Redis, is for an operator to
# see to; to who calls the service it is away. A new account is tried within a second.
_AWAY = (
    BusyLoadingError, ConnectionError, InvalidResponse, ReadOnlyError, TimeoutError,
    TryAgainError,
)  # fmt: skip


@asynccontextmanager
async def open_redis(settings: RedisSettings) -> AsyncIterator[Redis]:
    """Open the service's connection pool; no server is contacted before first use.

    Answers are bytes. A command ends within 2 s, is retried once on a connection
    that turned out dead, and waits at most 1 s for a connection. Each connection
    proves itself with the account that the secret names by then (SE-1).

    Raises:
        StartError: The connection string cannot be read.
    """
    client = _client(settings)
    try:
        yield client
    finally:
        await client.aclose()


async def ping(client: Redis) -> None:
    """Check for `Health.add`: the server answers this account; raises if not."""
    await client.ping()


def as_unavailable(error: RedisError) -> UnavailableError | None:
    """Return what a client's failure means, None if it is a bug or a refusal."""
    if not isinstance(error, _AWAY):
        return None
    return UnavailableError("cache_unavailable", "The cache does not answer.")


class SteadyScript:
    """A script that is asked again and again, over a connection that it keeps.

    For each call the client takes a connection from its pool, starts a task that writes
    to it, counts and measures: twice the CPU of what is left here.

    Args:
        client: Of whose pool the connection is; closing it ends the connection.
        text: Of the script.
    """

    def __init__(self, client: Redis, text: str) -> None:
        self._pool = client.connection_pool
        self._text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self._connection: AbstractConnection | None = None

    async def ask(self, keys: Sequence[str], word: str) -> bytes:
        """Return the script's answer, a text; one call at a time.

        It has no deadline: who asks sets one. What is cancelled meanwhile ends the
        connection, and so does a server that is gone; the next call opens it again.

        Raises:
            RedisError, OSError: It cannot be had, also not over a new connection.
        """
        try:
            return await self._send("EVALSHA", self._digest, keys, word)
        except NoScriptError:
            return await self._send("EVAL", self._text, keys, word)
        except ConnectionError:  # closed since the last call
            return await self._send("EVAL", self._text, keys, word)

    async def _send(
        self, command: str, script: str, keys: Sequence[str], word: str
    ) -> bytes:
        if self._connection is None:
            self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]  # the client's
            self._connection.socket_timeout = None  # a task for every write otherwise
        connection = self._connection
        words = (command, script, len(keys), *keys, word)
        await connection.send_command(*words, check_health=False)
        answer: bytes = await connection.read_response()
        return answer


@contextmanager
def map_redis_errors() -> Iterator[None]:
    """Turn the failures of a server that is away into `UnavailableError`."""
    try:
        yield
    except RedisError as error:
        unavailable = as_unavailable(error)
        if unavailable is None:
            raise
        raise unavailable from error


class _Account(CredentialProvider):
    """Tells a new connection which account it is for."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url

    def get_credentials(self) -> tuple[str, str]:
        found = urlsplit(self._url())
        return unquote(found.username or "default"), unquote(found.password or "")


def _client(settings: RedisSettings) -> Redis:
    url = settings.redis_url.get_secret_value()
    try:
        parts = urlsplit(url)
        server = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        has_account = bool(parts.password)
        account = _Account(live_secret(settings, "redis_url"))
        client = Redis.from_url(
            server,
            credential_provider=account if has_account else None,
            socket_timeout=2,
            socket_connect_timeout=1,
            socket_keepalive=True,
            health_check_interval=15,
            max_connections=100,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.2), 1),
        )
        pool = client.connection_pool  # an option that is none would be told at use
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError):
        # Not chained: the client's message may quote the account.
        raise StartError("redis_url is not a Redis connection string") from None
    return client
