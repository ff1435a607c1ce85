"""Sign-ins a second against raw bcrypt, the event loop meanwhile, and token checks.

In turns: raw bcrypt in as many threads as auth has, on the same cores, then logins at
one auth process of the benchmark's own, twice as many at once, each the right
password of an active account. Meanwhile ``/health/live`` is asked every 50 ms: that
takes the lag of the event loop and more, so it is an upper bound. Client, MongoDB,
Redis and RabbitMQ share the cores, so what a login costs beside bcrypt is in the
ratio. The ratio of CPU (of the auth process alone) hardly depends on what else the
machine does.
"""

import argparse
import asyncio
import json
import os
import platform
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import bcrypt

from bench.events.meter import cpu_of
from deploy.embedded.environment import service_environment
from deploy.embedded.keys import internal_file
from deploy.embedded.layout import DEFAULT_ROOT, Stack, open_stack
from libs.chassis.access_tokens import (
    AccessTokenVerifier,
    JwksSource,
    jwks_over_http,
)
from libs.chassis.security import InternalTokenSigner, Principal
from libs.kernel import SystemClock, new_id
from scripts.demo.house import House

COST = 12
PASSWORD = secrets.token_urlsafe(24)
PEOPLE = 16
BEAT_SECONDS = 0.05
ROUNDS = 3
CHECKS = 20_000
THREADS = os.cpu_count() or 1


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@dataclass(frozen=True)
class Pace:
    """How fast something went, and what one took of CPU."""

    per_second: float
    cpu_seconds: float


def raw_bcrypt(seconds: float) -> Pace:
    """Run bcrypt alone, in as many threads as auth has."""
    stored = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(COST))

    def work() -> int:
        count, limit = 0, time.monotonic() + seconds
        while time.monotonic() < limit:
            assert bcrypt.checkpw(PASSWORD.encode(), stored)
            count += 1
        return count

    began, cpu = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(work) for _ in range(THREADS)]
        done = sum(future.result() for future in running)
    used = time.process_time() - cpu
    return Pace(done / (time.monotonic() - began), used / done)


@contextmanager
def auth_process(stack: Stack) -> Iterator[tuple[str, int]]:
    """Run one auth process and yield its address and pid."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = (
            dict(os.environ)
            | service_environment(stack, "auth")
            | {
                "AUTH_PORT": str(port),
                "AUTH_INSTANCE_ID": f"bench-{port}",
                "AUTH_LOG_FILE": str(Path(folder) / "auth.jsonl"),
                "AUTH_BCRYPT_COST": str(COST),
                "AUTH_HASHING_THREADS": str(THREADS),
                "AUTH_LOGIN_ADDRESS_FAILURES": "100000",
            }
        )
        command = [sys.executable, "-m", "services.auth"]
        child = subprocess.Popen(command, env=environment)  # noqa: S603 - our own
        try:
            yield f"http://127.0.0.1:{port}", child.pid
        finally:
            child.terminate()
            child.wait(30)


class Door:
    """Calls the process as the gateway would."""

    def __init__(self, url: str, http: aiohttp.ClientSession, stack: Stack) -> None:
        self.url = url
        self.http = http
        self._signer = InternalTokenSigner(internal_file(stack, "gateway"), "gateway")

    async def post(self, name: str, body: dict[str, object]) -> dict[str, str]:
        """Call a route below ``/api/v1/auth/``; fails unless it succeeds."""
        token = self._signer.token("auth", Principal.anonymous())
        headers = {"Authorization": f"Bearer {token}", "X-Client-Address": "10.1.1.1"}
        url = f"{self.url}/api/v1/auth/{name}"
        async with self.http.post(url, json=body, headers=headers) as response:
            assert response.status < 300, await response.text()
            answer: dict[str, str] = await response.json()
            return answer

    async def login(self, email: str) -> str:
        """Sign in and return the access token."""
        return (await self.post("login", {"email": email, "password": PASSWORD}))[
            "access_token"
        ]

    async def ready(self) -> None:
        """Wait until the process answers."""
        async with asyncio.timeout(60):
            while True:
                try:
                    async with self.http.get(f"{self.url}/health/ready") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)


async def people(door: Door, house: House) -> list[str]:
    """Return addresses of people who are registered and verified."""

    async def join() -> str:
        email = f"bench-{new_id()}@example.org"
        body = {"email": email, "password": PASSWORD, "display_name": "Bench"}
        await door.post("register", body)
        token = await house.verification_token(email, 60)
        await door.post("verify", {"token": token, "password": PASSWORD})
        return email

    return list(await asyncio.gather(*(join() for _ in range(PEOPLE))))


@asynccontextmanager
async def beats(door: Door) -> AsyncIterator[list[float]]:
    """Ask the loop for its pulse until the block is left; milliseconds each."""
    found: list[float] = []

    async def beat() -> None:
        while True:
            began = time.perf_counter()
            async with door.http.get(f"{door.url}/health/live") as response:
                await response.read()
            found.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(BEAT_SECONDS)

    task = asyncio.create_task(beat())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def logins(door: Door, pid: int, emails: list[str], seconds: float) -> Pace:
    """Sign in, with twice as many under way as there are threads."""
    limit = time.monotonic() + seconds

    async def work(number: int) -> int:
        count = 0
        mine = emails[number :: 2 * THREADS]
        while time.monotonic() < limit:
            await door.login(mine[count % len(mine)])
            count += 1
        return count

    began, cpu = time.monotonic(), cpu_of(pid)
    done = sum(await asyncio.gather(*(work(one) for one in range(2 * THREADS))))
    return Pace(done / (time.monotonic() - began), (cpu_of(pid) - cpu) / done)


async def token_check_microseconds(door: Door, email: str, issuer: str) -> float:
    """Return what the check of an access token costs once it is cached."""
    source = JwksSource(jwks_over_http(door.http, f"{door.url}/api/v1/auth/jwks.json"))
    token = await door.login(email)
    verifier = AccessTokenVerifier(source, issuer, SystemClock())
    await verifier.verify(token)
    began = time.perf_counter()
    for _ in range(CHECKS):
        await verifier.verify(token)
    taken = time.perf_counter() - began
    await source.aclose()
    return taken / CHECKS * 1e6


async def run(root: Path, seconds: float) -> dict[str, float]:
    """Measure all of it."""
    stack = open_stack(root)
    house = House(stack.url("edge"), stack.url("smtp_view"), stack.url("fcm_control"))
    with auth_process(stack) as (url, pid):
        async with aiohttp.ClientSession() as http:
            door = Door(url, http, stack)
            await door.ready()
            emails = await people(door, house)
            lag: list[float] = []
            pairs = []
            for _ in range(ROUNDS):
                raw = await asyncio.to_thread(raw_bcrypt, seconds)
                async with beats(door) as beaten:
                    pairs.append((raw, await logins(door, pid, emails, seconds)))
                lag += beaten
            check = await token_check_microseconds(door, emails[0], stack.url("edge"))
    median = statistics.median
    return {
        "logins_per_second": median(login.per_second for _, login in pairs),
        "raw_bcrypt_per_second": median(raw.per_second for raw, _ in pairs),
        "ratio_to_raw_bcrypt": median(
            login.per_second / raw.per_second for raw, login in pairs
        ),
        "cpu_ratio_to_raw_bcrypt": median(
            raw.cpu_seconds / login.cpu_seconds for raw, login in pairs
        ),
        "loop_lag_p50_ms": percentile(lag, 0.5),
        "loop_lag_p99_ms": percentile(lag, 0.99),
        "token_check_us": check,
        "load_average": os.getloadavg()[0],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="bench.auth", description=__doc__)
    parser.add_argument("--stack", type=Path, default=DEFAULT_ROOT)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    measured = asyncio.run(run(options.stack, options.seconds))
    figures = {name: round(value, 3) for name, value in measured.items()}
    print(f"bcrypt cost {COST}, {THREADS} threads, {platform.machine()}")
    for name, value in figures.items():
        print(f"  {name:<24} {value:10.3f}")
    print(json.dumps(figures))
