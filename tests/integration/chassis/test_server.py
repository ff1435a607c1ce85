"""A service as a process: start, serve, drain, stop, and what hinders its start."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.support.asgi import InternalCallers

ROOT = Path(__file__).parents[3]


def free_port():
    """Return a port that is free now, below the ephemeral ones."""
    for port in range(23160, 23199):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


class Demo:
    """One demo process."""

    def __init__(self, folder, **settings):
        self.port = free_port()
        self.log_file = folder / "demo.log"
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DEMO_PORT": str(self.port),
            "DEMO_PUBLIC_URL": "http://localhost:21000",
            "DEMO_DATA_DIR": str(folder),
            "DEMO_LOG_FILE": str(self.log_file),
            "DEMO_INTERNAL_JWKS_FILE": str(InternalCallers(folder).jwks_file),
            "DEMO_DRAIN_SECONDS": "0.3",
            "DEMO_SHUTDOWN_SECONDS": "5",
        } | {f"DEMO_{name.upper()}": str(value) for name, value in settings.items()}
        self.process = None

    async def start(self):
        """Start the process."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.demo_service",
            cwd=ROOT,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def ready(self):
        """Start the process and wait until it serves."""
        await self.start()
        async with asyncio.timeout(30), aiohttp.ClientSession() as http:
            while True:
                assert self.process.returncode is None, await self.ended()
                try:
                    async with http.get(f"{self.url}/health/ready") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.05)

    def signal(self, number=signal.SIGTERM):
        """Send a signal."""
        self.process.send_signal(number)

    async def ended(self):
        """Wait for its end; return exit code and stderr."""
        async with asyncio.timeout(30):
            out, err = await self.process.communicate()
        assert out == b""
        return self.process.returncode, err.decode()

    def events(self):
        """Parse its log."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]


@pytest.fixture
async def demo(tmp_path):
    """Make processes that end with the test."""
    made = []

    def make(**settings):
        made.append(Demo(tmp_path, **settings))
        return made[-1]

    yield make
    for each in made:
        if each.process is not None and each.process.returncode is None:
            each.process.kill()
            await each.process.communicate()


@pytest.fixture
async def http():
    """An HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


async def test_it_serves_what_the_lifespan_opened(demo, http):
    """State, problems, health and metrics, over a real socket."""
    service = demo()
    await service.ready()
    async with http.get(f"{service.url}/api/v1/demo/greeting") as response:
        assert await response.json() == "hello"
    async with http.get(f"{service.url}/api/v1/demo/bug") as response:
        assert response.status == 500
        assert (await response.json())["code"] == "internal"
    async with http.get(f"{service.url}/metrics") as response:
        text = await response.text()
    assert 'parley_build_info{python="' in text
    assert "event_loop_lag_seconds" in text
    service.signal()
    assert await service.ended() == (0, "")
    assert "private words" not in service.log_file.read_text()
    events = [event["event"] for event in service.events()]
    assert events == [
        "service_started",
        "request_handled",
        "request_failed",
        "request_handled",
        "service_draining",
        "service_stopped",
    ]


async def test_it_drains_before_it_stops(demo, http):
    """Readiness off, running requests finish, exit code 0."""
    service = demo()
    await service.ready()

    async def slow():
        async with http.get(f"{service.url}/api/v1/demo/slow?seconds=1.2") as response:
            return response.status

    request = asyncio.create_task(slow())
    await asyncio.sleep(0.2)
    service.signal()
    await asyncio.sleep(0.1)
    async with http.get(f"{service.url}/health/ready") as response:
        assert response.status == 503
        assert await response.json() == {"status": "draining"}
    async with http.get(f"{service.url}/api/v1/demo/greeting") as response:
        assert response.status == 200
    assert await request == 200
    assert await service.ended() == (0, "")


async def test_idle_connections_do_not_delay_the_stop(demo, http):
    """The gateway keeps connections open all the time."""
    service = demo(drain_seconds=0)
    await service.ready()
    async with http.get(f"{service.url}/health/live") as response:
        await response.read()
    start = time.monotonic()
    service.signal()
    assert (await service.ended())[0] == 0
    assert time.monotonic() - start < 3


async def test_a_request_that_never_ends_is_cut(demo, http):
    """The stop has a deadline."""
    service = demo(shutdown_seconds=1)
    await service.ready()
    request = asyncio.create_task(
        http.get(f"{service.url}/api/v1/demo/slow?seconds=60")
    )
    await asyncio.sleep(0.2)
    start = time.monotonic()
    service.signal()
    code, _ = await service.ended()
    assert time.monotonic() - start < 5
    assert code == 0
    assert "requests_cut" in [event["event"] for event in service.events()]
    assert (await request).status == 500


async def test_a_second_signal_ends_it_at_once(demo, http):
    """An operator in a hurry."""
    service = demo()
    await service.ready()
    request = asyncio.create_task(
        http.get(f"{service.url}/api/v1/demo/slow?seconds=60")
    )
    await asyncio.sleep(0.2)
    service.signal()
    await asyncio.sleep(0.1)
    start = time.monotonic()
    service.signal(signal.SIGINT)
    code, _ = await service.ended()
    assert code == 1
    assert time.monotonic() - start < 1
    with pytest.raises(aiohttp.ClientError):
        await request


async def test_a_signal_during_the_start_calls_it_off(demo):
    """Waiting for a database is no reason to be killed."""
    service = demo(mode="slow-start")
    await service.start()
    await asyncio.sleep(3)
    service.signal()
    assert await service.ended() == (0, "")


async def test_a_lifespan_that_does_not_end_is_left(demo):
    """Exit code 1 tells that the stop was not orderly."""
    service = demo(mode="hangs", shutdown_seconds=1)
    await service.ready()
    service.signal()
    code, _ = await service.ended()
    assert code == 1
    assert "shutdown_timed_out" in [event["event"] for event in service.events()]


async def test_a_lifespan_that_breaks_ends_the_process(demo):
    """A service without its consumers is worse than one that restarts."""
    service = demo(mode="breaks")
    await service.ready()
    code, _ = await service.ended()
    assert code == 1
    events = [event["event"] for event in service.events()]
    assert "service_broke" in events
    assert "shutdown_failed" in events


async def test_kill_leaves_nothing_behind(demo):
    """One process: no child keeps the port."""
    service = demo()
    await service.ready()
    process = psutil.Process(service.process.pid)
    assert process.children(recursive=True) == []
    service.signal(signal.SIGKILL)
    await service.process.communicate()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", service.port))


async def test_a_taken_port_is_one_line(demo):
    """Also when the other one is of the same kind and would share it."""
    first = demo()
    await first.ready()
    second = demo()
    second.environment["DEMO_PORT"] = str(first.port)
    await second.start()
    assert await second.ended() == (
        1,
        f"demo cannot start: port 127.0.0.1:{first.port} is taken by another process\n",
    )


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("start-error", "demo cannot start: the demo does not want to\n"),
        ("key-error", "demo cannot start: key ring /keys/x: No such file\n"),
        ("app-error", "demo cannot start: store_away: Not now.\n"),
        ("bug", "demo cannot start: ValueError; its log says where\n"),
    ],
)
async def test_what_keeps_it_from_starting_is_one_line(demo, mode, line):
    """No traceback on the terminal, nothing private anywhere."""
    service = demo(mode=mode)
    await service.start()
    assert await service.ended() == (1, line)
    if mode == "bug":
        (event,) = service.events()
        assert event["event"] == "service_failed_to_start"
        assert "private words" not in service.log_file.read_text()


async def test_an_address_that_is_not_ours_is_one_line(demo):
    """Such as the host of another machine."""
    service = demo(host="192.0.2.1")
    await service.start()
    code, line = await service.ended()
    assert code == 1
    assert line.startswith("demo cannot start: cannot listen on 192.0.2.1:")


async def test_missing_settings_are_one_line(demo):
    """All of them, by name."""
    service = demo()
    for name in ("DEMO_PORT", "DEMO_DATA_DIR"):
        del service.environment[name]
    await service.start()
    code, line = await service.ended()
    assert code == 1
    assert line.count("\n") == 1
    assert "DEMO_PORT: missing" in line
    assert "DEMO_DATA_DIR: missing" in line
