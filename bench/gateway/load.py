"""Load: as fast as it goes (wrk), and in one long stream."""

import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp

from bench.gateway.far_end import PART
from bench.gateway.rig import Server
from deploy.embedded.packages import DebianPackage, ensure_packages

_WRK = DebianPackage(
    "wrk", "the load of this benchmark", lambda: shutil.which("wrk") is not None
)
_CONNECTIONS = 32
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
    found = _TOLD.search(done.stdout)
    assert found is not None, done.stdout
    return Rate(float(found[2]), cpu / int(found[1]) * 1e6)


@dataclass(frozen=True)
class Stream:
    """What one long stream each way gave.

    Attributes:
        growth_mb: Of the server's memory, the most of both.
    """

    up_mb_per_s: float
    down_mb_per_s: float
    growth_mb: float


async def stream(server: Server, url: str, size: int) -> Stream:
    """Send and then fetch so many bytes through a server."""
    before = most = server.rss_kb

    def look() -> None:
        nonlocal most
        most = max(most, server.rss_kb)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(size // len(PART)):
            look()
            yield PART

    async with aiohttp.ClientSession() as http:
        headers = {"Content-Length": str(size)}
        started = time.perf_counter()
        async with http.post(url, data=parts(), headers=headers) as answer:
            assert await answer.text() == str(size), answer.status
        turned = time.perf_counter()
        async with http.get(url) as answer:
            got = 0
            async for part in answer.content.iter_chunked(len(PART)):
                got += len(part)
                look()
            assert got == size, (answer.status, got)
    up, down = turned - started, time.perf_counter() - turned
    return Stream(size / up / 1e6, size / down / 1e6, (most - before) / 1_000)
