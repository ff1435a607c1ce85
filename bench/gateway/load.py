"""Load: as fast as it goes (wrk), at a steady rate, and in one long stream."""

import asyncio
import re
import shutil
import subprocess
import time
from dataclasses import dataclass

import aiohttp

from bench.gateway.rig import Server
from deploy.embedded.packages import DebianPackage, ensure_packages

_WRK = DebianPackage(
    "wrk", "the load of this benchmark", lambda: shutil.which("wrk") is not None
)
_CONNECTIONS = 32
_PART = b"x" * 65_536
_TOLD = re.compile(r"(\d+) requests in .*?Requests/sec:\s+([\d.]+)", re.DOTALL)


@dataclass(frozen=True)
class Rate:
    """What one round gave.

    Attributes:
        cpu_us: CPU of the server, a request.
    """

    per_s: float
    cpu_us: float


def ensure_wrk() -> None:
    """Install wrk from the distribution if it is missing.

    Raises:
        PackageMissingError: It cannot be installed; the text has the command.
    """
    ensure_packages((_WRK,))


def full_speed(
    server: Server, path: str, seconds: float, token: str | None = None
) -> Rate:
    """Ask as fast as the server answers, over 32 connections."""
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{int(seconds)}s"]
    if token is not None:
        command += ["-H", f"Authorization: Bearer {token}"]
    cpu = server.cpu_seconds
    done = subprocess.run(  # noqa: S603 - fixed words
        [*command, server.url + path],
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds + 30,
    )
    cpu = server.cpu_seconds - cpu
    assert "Non-2xx" not in done.stdout, done.stdout
    found = re.search(
        r"(\d+) requests in .*?Requests/sec:\s+([\d.]+)", done.stdout, re.DOTALL
    )
    assert found is not None, done.stdout
    return Rate(float(found[2]), cpu / int(found[1]) * 1e6)


async def steady(
    server: Server, path: str, *, per_s: float, seconds: float, token: str | None = None
) -> list[float]:
    """Ask at a steady rate; return how long each answer took, in milliseconds.

    The rate does not wait for slow answers: a stall costs all who come during it.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    waits: list[float] = []
    connector = aiohttp.TCPConnector(limit=200)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

        async def ask(due: float) -> None:
            async with http.get(server.url + path) as answer:
                await answer.read()
                assert answer.status == 200
            waits.append((time.perf_counter() - due) * 1_000)

        started = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(int(per_s * seconds)):
                due = started + number / per_s
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.create_task(ask(due))
    return waits


async def stream(server: Server, path: str, size: int) -> float:
    """Send and then fetch so many bytes; return how much memory grew, in MB."""
    before = most = server.rss_kb

    async def parts() -> object:
        nonlocal most
        for _ in range(size // len(_PART)):
            most = max(most, server.rss_kb)
            yield _PART

    async with aiohttp.ClientSession() as http:
        headers = {"Content-Length": str(size)}
        url = f"{server.url}{path}"
        async with http.post(url, data=parts(), headers=headers) as answer:
            await answer.read()
        async with http.get(url) as answer:
            got = 0
            async for part in answer.content.iter_chunked(len(_PART)):
                got += len(part)
                most = max(most, server.rss_kb)
            assert got == size, (answer.status, got)
    return (most - before) / 1_000
