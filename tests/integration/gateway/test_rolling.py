"""Instances of a service stop and come back while they are asked."""

import asyncio
import random

import aiohttp
import pytest

pytestmark = pytest.mark.integration

CLIENTS = 64


async def test_f18_a_rolling_restart_costs_nobody_a_request(
    demos, before_demos
) -> None:
    """F18: what may not be sent twice is answered, and done, exactly once."""
    statuses: list[int] = []
    is_over = asyncio.Event()

    async def keep_asking(http: aiohttp.ClientSession, pauses: random.Random) -> None:
        while not is_over.is_set():
            async with http.post(f"{before_demos}/api/v1/media/demo/note") as answer:
                statuses.append(answer.status)
                await answer.read()
            # Some connections are idle when their service closes them.
            await asyncio.sleep(pauses.uniform(0, 0.02))

    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as clients:
        for number in range(CLIENTS):
            clients.create_task(keep_asking(http, random.Random(number)))  # noqa: S311
        for demo in demos:
            await asyncio.to_thread(demo.stop)
            done = len(demo.handled("POST"))
            await asyncio.to_thread(demo.start)
            async with asyncio.timeout(20):  # the gateway finds out that it is back
                while len(demo.handled("POST")) == done:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        is_over.set()
    assert set(statuses) == {200}
    done: list[str] = []
    async with asyncio.timeout(20):  # a line is written after its answer has left
        while len(done) < len(statuses):
            await asyncio.sleep(0.05)
            done = [request for demo in demos for request in demo.handled("POST")]
    assert len(done) == len(set(done)) == len(statuses)
