"""What goes wrong while clients work; each fault is healed before the next."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect
from redis.asyncio import Redis

from tests.integration.chat.conftest import ChatProcess
from tests.support.stack import RunningStack

Fault = Callable[[], Awaitable[None]]


class Nemesis:
    """Brings faults about, one at a time, in a random order.

    Attributes:
        done: Names of what it did, in order.
    """

    def __init__(
        self, stack: RunningStack, processes: list[ChatProcess], chance: random.Random
    ) -> None:
        self._stack = stack
        self._processes = processes
        self._chance = chance
        self.done: list[str] = []

    def faults(self) -> list[Fault]:
        """Return each fault once, in a random order."""
        found = [self.kill_chat, self.step_down, self.restart_broker, self.flush_redis]
        self._chance.shuffle(found)
        return found

    async def run(self, seconds: float, calm_seconds: float) -> None:
        """Go through the faults again and again until the time is over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            for fault in self.faults():
                await asyncio.sleep(calm_seconds)
                await fault()
                self.done.append(fault.__name__)  # type: ignore[attr-defined]  # a bound method
                if loop.time() >= end:
                    break

    async def kill_chat(self) -> None:
        """Kill -9 one of the chat processes and start it again."""
        victim = self._chance.choice(self._processes)
        victim.kill()
        await asyncio.sleep(self._chance.uniform(0, 1))
        await asyncio.to_thread(victim.start)

    async def step_down(self) -> None:
        """The database's primary steps down and is elected again."""
        async with AsyncMongoClient(self._stack.admin_mongo_url) as client:
            with contextlib.suppress(AutoReconnect):
                await client.admin.command(
                    "replSetStepDown", 2, secondaryCatchUpPeriodSecs=0, force=True
                )
            await client.admin.command("ping")

    async def restart_broker(self) -> None:
        """Kill -9 the broker; its supervisor starts it again."""
        await asyncio.to_thread(self._stack.kill, "rabbitmq")
        await self._stack.until_ready("rabbitmq")

    async def flush_redis(self) -> None:
        """Forget everything that Redis holds."""
        async with Redis.from_url(self._stack.admin_redis_url) as redis:
            await redis.flushall()
