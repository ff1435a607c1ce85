"""Redis: rate limits, and who shares them. The one place of its keys."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from redis.asyncio import Redis

from libs.chassis.buckets import RedisBuckets
from libs.chassis.redis import map_redis_errors
from libs.chassis.tasks import TaskSupervisor
from libs.kernel import UnavailableError

_SAY_SECONDS = 2.0
_GONE_SECONDS = 10
_DEADLINE_SECONDS = 1.0
_REPLICAS_KEY: Final = "gateway:replicas"

# KEYS: those that are there. ARGV: this one, and the seconds after which one is gone.
# By Redis's clock, so that it does not matter how theirs differ.
_SAY = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""


class Replicas:
    """How many gateways there are: each says every 2 s that it is.

    While Redis is away the last count stands (RL-4).

    Args:
        redis: The gateway's own account.
        name: Of this gateway among the others.
        at_least: There are so many even if they do not say so.
    """

    def __init__(self, redis: Redis, name: str, at_least: int = 1) -> None:
        self._redis = redis
        self._script = redis.register_script(_SAY)
        self._name = name
        self._at_least = at_least
        self._seen = 1

    @property
    def count(self) -> int:
        """How many there were when Redis told last; this one is among them."""
        return max(self._seen, self._at_least)

    async def run(self) -> None:
        """Say it again and again; the task of a supervisor."""
        while True:
            with suppress(UnavailableError, TimeoutError):
                await self.say()
            await asyncio.sleep(_SAY_SECONDS)

    async def say(self) -> None:
        """Say that this one is there, and count the others.

        Raises:
            UnavailableError, TimeoutError: Redis is away.
        """
        with map_redis_errors():
            async with asyncio.timeout(_DEADLINE_SECONDS):
                self._seen = int(
                    await self._script(
                        keys=[_REPLICAS_KEY], args=[self._name, _GONE_SECONDS]
                    )
                )

    async def leave(self) -> None:
        """Say that this one ends; without Redis it is forgotten by itself."""
        with suppress(UnavailableError, TimeoutError), map_redis_errors():
            async with asyncio.timeout(_DEADLINE_SECONDS):
                await self._redis.zrem(_REPLICAS_KEY, self._name)


@asynccontextmanager
async def open_replicas(
    redis: Redis, name: str, at_least: int
) -> AsyncIterator[Replicas]:
    """Be counted among the gateways while the block runs; see `Replicas`."""
    replicas = Replicas(redis, name, at_least)
    async with TaskSupervisor() as tasks:
        tasks.start("replicas", replicas.run)
        yield replicas
    await replicas.leave()


def open_buckets(redis: Redis) -> RedisBuckets:
    """Return the limits that all gateways share."""
    return RedisBuckets(redis, limit_key)


def limit_key(subject: str) -> str:
    """Return the key of a limit's arrival time."""
    return f"gateway:limit:{subject}"
