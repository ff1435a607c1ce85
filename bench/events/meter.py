"""What every cell measures, whatever it speaks: rate, CPU, losses, latency.

Standard library only: the FastStream peer imports it from an environment that holds
FastStream and nothing else.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from bench.events.sampler import Sampler

OUTSTANDING = 1024
"""Events published and not yet handled, at most: the queue stays short."""

WARM_SECONDS = 0.6
DRAIN_SECONDS = 20.0
EVERY_SECONDS = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Order:
    """What a cell is asked to do; one JSON object as its argument.

    Attributes:
        amqp_url: Account with all rights on the benchmark's virtual host.
        mongo_url: Administrator of MongoDB; empty for a peer.
        scenario: Name of what is measured.
        seconds: How long events are published.
        servers: Pid of each server whose CPU is counted too.
        profile: File for where the CPU goes; empty for none.
        count: Events to publish, where the scenario counts instead of timing.
        has_logs: Whether each writes its own log lines, and Parley its trace ids.
        has_uvloop: Whether it runs on uvloop.
    """

    amqp_url: str
    mongo_url: str
    scenario: str
    seconds: float
    servers: dict[str, int]
    profile: str = ""
    count: int = 0
    has_logs: bool = False
    has_uvloop: bool = False


class Tally:
    """Counts what was published and what was handled, by number."""

    def __init__(self, outstanding: int = OUTSTANDING) -> None:
        self._seen = bytearray()
        self._room = asyncio.Semaphore(outstanding)
        self._changed = asyncio.Event()
        self.next = 0
        self.published = 0
        self.handled = 0
        self.duplicates = 0
        self.delays: list[float] = []

    async def take(self) -> int:
        """Return the number of the next event as soon as there is room for it."""
        await self._room.acquire()
        self.next += 1
        self._seen.append(0)
        return self.next - 1

    def note(self, number: int) -> None:
        """Count an event as handled."""
        if self._seen[number]:
            self.duplicates += 1
            return
        self._seen[number] = 1
        self.handled += 1
        self._room.release()
        if self.handled == self.published:
            self._changed.set()

    async def settle(self, within_seconds: float = DRAIN_SECONDS) -> None:
        """Wait until all that was published is handled, or it takes too long."""
        deadline = time.monotonic() + within_seconds
        while self.handled < self.published and time.monotonic() < deadline:
            self._changed.clear()
            try:
                async with asyncio.timeout(0.1):
                    await self._changed.wait()
            except TimeoutError:
                continue


@dataclass
class Meter:
    """Time and CPU from `start` to `stop`, of this process and of servers."""

    servers: dict[str, int]
    _wall: float = 0.0
    _cpu: float = 0.0
    _of_servers: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """Begin."""
        self._of_servers = {name: cpu_of(pid) for name, pid in self.servers.items()}
        self._cpu = time.process_time()
        self._wall = time.perf_counter()

    def stop(self, events: int) -> dict[str, float]:
        """Return rate, and CPU in microseconds an event."""
        wall = time.perf_counter() - self._wall
        cpu = time.process_time() - self._cpu
        found = {
            "events": events,
            "per_s": events / wall,
            "cpu_us": cpu / events * 1e6,
        }
        for name, pid in self.servers.items():
            spent = cpu_of(pid) - self._of_servers[name]
            found[f"{name}_cpu_us"] = spent / events * 1e6
        return found


async def ask(word: str) -> None:
    """Ask the program that started this cell to do something, and wait for it."""
    print(word, flush=True)
    await asyncio.to_thread(sys.stdin.readline)


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_kb_of(pid: int | str) -> float:
    """Return the resident memory of a process, in kB of 1,000 bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e3


def rss_mb() -> float:
    """Return the resident memory of this process, in megabytes."""
    return rss_kb_of("self") / 1000


async def measure_rate(
    order: Order, tally: Tally, publish: Callable[[], Awaitable[None]], workers: int
) -> dict[str, float]:
    """Publish as fast as workers can, first to warm up, then measured.

    Args:
        order: How long, and which servers to look at.
        tally: `publish` takes its numbers here; the handler notes them here.
        publish: Publishes once and returns when that is confirmed or committed.
        workers: How many of them run side by side.
    """
    await _publish_for(WARM_SECONDS, publish, workers)
    await tally.settle()
    before = tally.handled
    meter = Meter(order.servers)
    meter.start()
    await _publish_for(order.seconds, publish, workers)
    await tally.settle()
    found = meter.stop(tally.handled - before)
    lost = tally.published - tally.handled
    return found | {"lost": lost, "duplicates": tally.duplicates}


async def measure_delay(
    order: Order, tally: Tally, publish: Callable[[], Awaitable[None]]
) -> dict[str, float]:
    """Publish 20 a second; percentiles of `tally.delays`, in milliseconds."""
    for _ in range(10):
        await publish()
    await tally.settle()
    tally.delays.clear()
    for _ in range(int(order.seconds / EVERY_SECONDS)):
        started = time.perf_counter()
        await publish()
        await asyncio.sleep(max(0.0, EVERY_SECONDS + started - time.perf_counter()))
    await tally.settle()
    delays = sorted(tally.delays)
    return {
        "events": len(delays),
        "p50_ms": delays[len(delays) // 2] * 1e3,
        "p99_ms": delays[int(len(delays) * 0.99)] * 1e3,
        "lost": tally.published - tally.handled,
    }


async def measure_waiting(
    order: Order, publish: Callable[[], Awaitable[None]]
) -> NoReturn:
    """Publish while the broker is away: memory of what waits, and what failed at once.

    Ends the process, since a driver would wait for its broker to close in good order.
    """
    await ask("cut")
    await asyncio.sleep(0.5)
    before = rss_mb()
    tasks = [asyncio.create_task(publish()) for _ in range(order.count)]  # type: ignore[arg-type]  # a coroutine
    await asyncio.sleep(3)
    failed = sum(task.done() and task.exception() is not None for task in tasks)
    grown = rss_mb() - before
    found = {
        "events": order.count,
        "rss_before_mb": before,
        "rss_waiting_mb": before + grown,
        "failed_at_once": failed,
    }
    print(json.dumps(found), flush=True)
    os._exit(0)


def run_cell(cell: Callable[[Order], Coroutine[Any, Any, dict[str, float]]]) -> None:
    """Run a cell as its process: order in, figures out as the last line."""
    order = Order(**json.loads(sys.argv[1]))
    if order.has_uvloop:
        import uvloop  # noqa: PLC0415 - one environment does not have it

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    sampler = Sampler()
    if order.profile:
        sampler.start()
    found = asyncio.run(cell(order))
    if order.profile:
        sampler.stop()
        sampler.write(Path(order.profile))
    print(json.dumps(found))


async def _publish_for(
    seconds: float, publish: Callable[[], Awaitable[None]], workers: int
) -> None:
    deadline = time.monotonic() + seconds

    async def work() -> None:
        while time.monotonic() < deadline:
            await publish()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(workers):
            tasks.create_task(work())
