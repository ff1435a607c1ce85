"""Chat processes of a benchmark: on the stack's servers, in a place of its own."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.events.meter import cpu_of, rss_kb_of
from bench.events.servers import Place, open_place, user_prefix
from deploy.embedded.environment import service_environment
from deploy.embedded.layout import Stack
from libs.events.settings import AdminSettings
from libs.events.topology import build_topology
from libs.events.topology.apply import apply_topology
from services.chat.consumers import worker

NAME = "bench-chat"
SINK = "bench.message-sent"
RAISED = {
    "CHAT_SOCKET_EVENTS_PER_SECOND": "100000",
    "CHAT_SOCKET_EVENTS_BURST": "100000",
    "CHAT_SOCKET_MESSAGES_PER_SECOND": "100000",
    "CHAT_SOCKET_MESSAGES_BURST": "100000",
    "CHAT_MESSAGES_PER_USER_PER_SECOND": "100000",
    "CHAT_MESSAGES_PER_USER_BURST": "100000",
}
"""Limits that are in the way of measuring a whole process with few sockets."""

_FIRST_OFFSET = 60
_START_SECONDS = 30.0


@asynccontextmanager
async def open_chat_place(stack: Stack, name: str = NAME) -> AsyncIterator[Place]:
    """Make a place of that name with chat's topology.

    A durable quorum queue takes every ``message.sent``, as notification's would: what
    the broker's persistence costs is part of a durable send. Nobody consumes it.
    """
    async with open_place(stack, "chat", name) as place:
        admin = AdminSettings(place.admin_amqp_url, place.management_url)
        topology = build_topology([worker])
        await apply_topology(topology, admin, user_prefix=user_prefix(name))
        quorum = {"durable": True, "arguments": {"x-queue-type": "quorum"}}
        place.management("PUT", f"queues/{name}/{SINK}", quorum)
        bindings = f"bindings/{name}/e/message.events/q/{SINK}"
        place.management("POST", bindings, {"routing_key": "message.sent"})
        yield place


@dataclass(frozen=True)
class ChatProcess:
    """One running process of the service.

    Attributes:
        url: Of its HTTP listener.
        socket_url: Of its WebSocket listener.
    """

    pid: int
    url: str
    socket_url: str

    @property
    def cpu_seconds(self) -> float:
        """CPU that it has used so far."""
        return cpu_of(self.pid)

    @property
    def rss_kb(self) -> float:
        """Memory of it that is resident now, in kB of 1,000 bytes."""
        return rss_kb_of(self.pid)

    def metrics(self) -> Mapping[str, float]:
        """Return its counters, by name with labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:  # noqa: S310 - our own process
            lines = answer.read().decode().splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
        return {name: float(value) for name, value in pairs}


@contextmanager
def chat_processes(
    stack: Stack,
    place: Place,
    count: int,
    profile: Path | None = None,
    settings: Mapping[str, str] | None = None,
    *,
    first: int = 0,
) -> Iterator[list[ChatProcess]]:
    """Run so many chat processes while the block runs.

    Args:
        stack: Its servers.
        place: From `open_chat_place`.
        count: How many processes.
        profile: Folder where each writes where its CPU went; None: nowhere.
        settings: Laid over the environment of each.
        first: Number of the first; the numbers of those that run together differ.
    """
    started: list[subprocess.Popen[bytes]] = []
    found: list[ChatProcess] = []
    try:
        for number in range(first, first + count):
            port = stack.base + _FIRST_OFFSET + 2 * number
            environment = _environment(stack, place, number, port)
            environment |= settings or {}
            if number == first:
                _migrate(environment)
            module = "services.chat"
            if profile is not None:
                profile.mkdir(parents=True, exist_ok=True)
                environment["BENCH_PROFILE"] = str(profile / f"{count}-{number}.txt")
                module = "bench.chat.profiled"
            process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", module], env=environment
            )
            started.append(process)
            url = f"http://127.0.0.1:{port}"
            found.append(ChatProcess(process.pid, url, f"ws://127.0.0.1:{port + 1}"))
        for process, chat in zip(started, found, strict=True):
            _await_ready(process, chat.url)
        yield found
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=30)


def _migrate(environment: Mapping[str, str]) -> None:
    """Give the place's database the collections and indexes of this code."""
    command = [sys.executable, "-m", "services.chat", "migrate", "apply"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own module


def _environment(stack: Stack, place: Place, number: int, port: int) -> dict[str, str]:
    folder = stack.folder("bench", f"chat-{number}")
    log = folder / "chat.jsonl"
    log.unlink(missing_ok=True)
    return {
        **os.environ,
        **service_environment(stack, "chat"),
        **RAISED,
        "CHAT_MONGO_URL": place.mongo_url,
        "CHAT_MONGO_DATABASE": place.database,
        "CHAT_AMQP_URL": place.service_amqp_url,
        "CHAT_PORT": str(port),
        "CHAT_SOCKET_PORT": str(port + 1),
        "CHAT_INSTANCE_ID": f"bench-{number}",
        "CHAT_LOG_FILE": str(log),
        "CHAT_DATA_DIR": str(folder),
    }


def _await_ready(process: subprocess.Popen[bytes], url: str) -> None:
    limit = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=2):  # noqa: S310 - our own process
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError("chat did not come up; its log says why") from None
            time.sleep(0.1)


def server_pids(stack: Stack) -> dict[str, int]:
    """Return the pids of the servers whose CPU a send costs, by name."""
    programs = json.loads(stack.state_file.read_text())["programs"]
    names = ("mongod", "rabbitmq", "valkey")
    return {name: int(programs[name]["pid"]) for name in names}
