"""A thousand requests that go wrong, and what is left of them: nothing."""

import asyncio
import time
from collections import Counter

import aiohttp
import psutil
import pytest

pytestmark = pytest.mark.integration

TOGETHER = 100
TIMEOUT_SECONDS = 1.0  # of the route
FAULTS = {
    "hang": {504},
    "slow?seconds=1.5": {504},
    "close": {502},
    "garbage": {502},
    "half": {502, 504},
    "hugeheader": {502},
    "cut?length=1000": {502},
    "trickle": {0},
    "cut?length=100000": {0},
}


class Leftovers:
    """What a gateway holds: tasks, requests, sockets to its services."""

    def __init__(self, gateway) -> None:
        self._gateway = gateway
        self._port = int(gateway.upstream_url.rpartition(":")[2])

    async def tasks(self) -> int:
        """Return how many tasks its loop has."""
        return int(await self._gateway.metric("event_loop_tasks"))

    async def under_way(self) -> int:
        """Return how many requests it serves."""
        return int(await self._gateway.metric("gateway_requests_under_way"))

    def sockets(self) -> int:
        """Return its connections to the service, half-closed ones too."""
        connections = psutil.Process(self._gateway.pid).net_connections("tcp")
        return sum(bool(c.raddr) and c.raddr.port == self._port for c in connections)

    async def settle(self, tasks: int) -> None:
        """Return when no more is left than that."""
        async with asyncio.timeout(15):
            while (  # noqa: ASYNC110
                await self.under_way() or await self.tasks() > tasks
            ):
                await asyncio.sleep(0.05)


async def _fail(gateway, fault: str, seen: Counter[int]) -> None:
    """Ask for a fault; it costs its budget and no more."""
    started = time.monotonic()
    try:
        status, _, _ = await gateway.ask("GET", f"/api/v1/media/slow/{fault}")
    except aiohttp.ClientPayloadError:
        status = 0  # the answer had begun: it is cut short
    assert status in FAULTS[fault], (fault, status)
    assert time.monotonic() - started < TIMEOUT_SECONDS + 2, fault
    seen[status] += 1


async def _leave(gateway) -> None:
    """Ask for something and go away before it comes."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await gateway.ask("GET", "/api/v1/media/slow/hang")


async def test_a_thousand_faulty_requests_leave_nothing_behind(patient) -> None:
    """HT-3: 502, 503 or 504 within the budget, and no task or connection is left."""
    gateway, process = patient
    left = Leftovers(gateway)
    assert (await gateway.ask("GET", "/api/v1/media/slow/echo"))[0] == 200
    tasks, sockets = await left.tasks(), left.sockets()
    gate, seen = asyncio.Semaphore(TOGETHER), Counter[int]()

    async def one(number: int) -> None:
        async with gate:
            if number % 8 == 0:
                await _leave(gateway)
            else:
                await _fail(gateway, list(FAULTS)[number % len(FAULTS)], seen)

    await asyncio.gather(*(one(number) for number in range(880)))
    await left.settle(tasks)
    assert left.sockets() <= sockets
    # The service is killed in the middle of some, and refuses the others.
    before = (await gateway.counts())["hang"]
    hanging = [
        asyncio.create_task(gateway.ask("GET", "/api/v1/media/slow/hang"))
        for _ in range(60)
    ]
    await gateway.counted("hang", before + 60)
    process.kill()
    process.wait(timeout=10)
    killed = Counter(status for status, _, _ in await asyncio.gather(*hanging))
    refused = Counter(
        [(await gateway.ask("GET", "/api/v1/media/slow/echo"))[0] for _ in range(60)]
    )
    # Some are sent once more, and find nobody.
    assert killed.keys() <= {502, 503}
    assert refused == {503: 60}
    await left.settle(tasks)
    assert left.sockets() == 0
