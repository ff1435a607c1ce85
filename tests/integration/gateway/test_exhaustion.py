"""A gateway that runs out of descriptors, memory and time (F23)."""

import asyncio
import os
import resource
import signal

import aiohttp
import psutil
import pytest

pytestmark = pytest.mark.integration

CLIENTS = 400
BODY_BYTES = 1_000_000
SPARE_BYTES = 256 * 2**20
DEADLINE_SECONDS = 20


async def test_f23_a_flood_costs_a_confined_gateway_nothing_but_time(confined) -> None:
    """F23: 503 or an answer for each, liveness all the time, and no restart."""
    url, _, pid = confined
    allowed = psutil.Process(pid).memory_info().vms + SPARE_BYTES
    resource.prlimit(pid, resource.RLIMIT_AS, (allowed, allowed))
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as http:

        async def ask(path: str) -> int:
            async with http.get(url + path) as response:
                await response.read()
                return response.status

        async def send() -> int:
            path = f"{url}/api/v1/media/open/echo"
            async with http.post(path, data=b"x" * BODY_BYTES) as response:
                await response.read()
                return response.status

        async with asyncio.timeout(DEADLINE_SECONDS):
            slow = "/api/v1/media/open/slow?seconds=0.2"
            flood = asyncio.gather(
                *(ask(slow) for _ in range(CLIENTS)), *(send() for _ in range(20))
            )
            lives = []
            while not flood.done():
                lives.append(await ask("/health/live"))
            assert set(await flood) == {200, 503}
            assert set(lives) == {200}
        async with asyncio.timeout(DEADLINE_SECONDS):
            os.kill(pid, signal.SIGUSR1)
            answers = [ask("/health/live"), ask("/api/v1/media/open/echo")]
            assert await asyncio.gather(*answers) == [200, 200]
    assert psutil.pid_exists(pid)
