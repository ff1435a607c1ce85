"""A stack of real servers for the tests, driven as its operator would."""

import asyncio
import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient

from deploy.embedded.control import ask_once
from deploy.embedded.environment import service_environment
from deploy.embedded.errors import NotRunningError, StackError
from deploy.embedded.launch import bring_down, bring_up, discard
from deploy.embedded.layout import DEFAULT_ROOT, HOST, Stack, open_stack
from deploy.embedded.passwords import ADMIN
from deploy.embedded.plan import SERVERS
from deploy.embedded.ports import OFFSETS, SPAN, is_free
from deploy.embedded.servers.mongodb import admin_url, database_url
from deploy.embedded.servers.rabbitmq import amqp_url
from deploy.embedded.servers.valkey import redis_url

LOWEST_BASE = 22000
HIGHEST_BASE = 31900
KEEP = "keep"
_POLL_SECONDS = 0.05
_NOTICE_SECONDS = 10


class RunningStack:
    """One stack under test; every pid is one the supervisor started."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    @property
    def root(self) -> Path:
        """Folder that holds everything the stack writes."""
        return self.stack.root

    @property
    def edge_url(self) -> str:
        """Address of nginx, for clients."""
        return self.stack.url("edge")

    @property
    def files_url(self) -> str:
        """Address of the edge before S3, a separate origin."""
        return self.stack.url("files")

    @property
    def admin_amqp_url(self) -> str:
        """RabbitMQ's administrator."""
        return amqp_url(self.stack, ADMIN)

    @property
    def admin_mongo_url(self) -> str:
        """MongoDB's administrator."""
        return admin_url(self.stack)

    @property
    def admin_redis_url(self) -> str:
        """Valkey's administrator."""
        return redis_url(self.stack, ADMIN)

    def port(self, name: str) -> int:
        """Return a port by its name in `deploy.embedded.ports.OFFSETS`."""
        return self.stack.port(name)

    def service_environment(self, name: str) -> dict[str, str]:
        """Return the settings environment of a service, secrets as paths."""
        return service_environment(self.stack, name)

    def secret(self, service: str, name: str) -> str:
        """Return the content of one of a service's secret files."""
        return (self.stack.secrets / service / name).read_text()

    def store_keys(self) -> dict[str, str]:
        """Return what the SDK calls the keys of media's S3 identity."""
        keys = json.loads(self.secret("media", "s3-credentials.json"))
        return {
            "aws_access_key_id": keys["access_key"],
            "aws_secret_access_key": keys["secret_key"],
        }

    def database_url(self, name: str) -> str:
        """Return MongoDB's connection string of a service's own account."""
        return database_url(self.stack, name)

    def amqp_url(self, name: str) -> str:
        """Return RabbitMQ's connection string of a service's own account."""
        return amqp_url(self.stack, name)

    def redis_url(self, name: str) -> str:
        """Return Valkey's connection string of a service's own account."""
        return redis_url(self.stack, name)

    def mails(
        self, to: str | None = None, after: str | None = None
    ) -> list[dict[str, Any]]:
        """Return mails that the sink took, in order; `after` is an id or a time."""
        return self._get("smtp_view", "/mails", {"to": to, "after": after})

    def pushes(self, token: str | None = None) -> list[dict[str, Any]]:
        """Return pushes that the FCM stand-in took, in order."""
        return self._get("fcm_control", "/sent", {"token": token})

    def push_behaviour(self, **order: Any) -> None:
        """Order FCM failures: token, failure, count, retry_after_seconds."""
        self._ask("fcm_control", "POST", "/behaviour", order)

    def mail_behaviour(self, **order: Any) -> None:
        """Order SMTP replies: recipient, reply, count."""
        self._ask("smtp_view", "POST", "/behaviour", order)

    async def wait_mails(
        self, to: str, count: int = 1, seconds: float = 20, after: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the mails to somebody as soon as there are at least `count`."""
        limit = time.monotonic() + seconds
        while len(mails := await asyncio.to_thread(self.mails, to, after)) < count:
            assert time.monotonic() < limit, f"{len(mails)} of {count} mails to {to}"
            await asyncio.sleep(_POLL_SECONDS)
        return mails

    async def wait_pushes(
        self, token: str, count: int = 1, seconds: float = 20
    ) -> list[dict[str, Any]]:
        """Return the pushes to a device as soon as there are at least `count`."""
        limit = time.monotonic() + seconds
        while len(pushes := await asyncio.to_thread(self.pushes, token)) < count:
            assert time.monotonic() < limit, f"{len(pushes)} of {count} pushes"
            await asyncio.sleep(_POLL_SECONDS)
        return pushes

    def start(self, program: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a program and wait until it is ready.

        Args:
            program: Its name.
            environment: Laid over its settings, kept over restarts; None: as before.
        """
        request = {"command": "start", "program": program, "environment": environment}
        answer = ask_once(self.stack, request)
        assert answer.get("ready"), answer

    def stop(self, program: str) -> None:
        """Stop a program in good order; it stays stopped."""
        ask_once(self.stack, {"command": "stop", "programs": [program]})

    def kill(self, program: str) -> int:
        """Kill -9 a program's process, nothing else; return its pid.

        Returns when the supervisor has seen it.
        """
        pid = self.pid(program)
        os.kill(pid, signal.SIGKILL)
        limit = time.monotonic() + _NOTICE_SECONDS
        while self._state()["programs"][program]["pid"] == pid:
            assert time.monotonic() < limit, f"nobody saw that {program} died"
            time.sleep(_POLL_SECONDS / 10)
        return pid

    def pid(self, program: str) -> int:
        """Return the pid of a program's process; fails if it does not run."""
        pid = self._state()["programs"][program]["pid"]
        assert pid is not None, f"{program} does not run"
        return int(pid)

    def supervisor_pid(self) -> int:
        """Return the pid of the supervisor."""
        return int(self._state()["supervisor"])

    def restarts(self) -> dict[str, int]:
        """Return how often each program was started again."""
        programs = self._state()["programs"]
        return {name: state["restarts"] for name, state in programs.items()}

    def status(self) -> dict[str, Any]:
        """Return what `status --json` prints."""
        return ask_once(self.stack, {"command": "status"})

    def wait_ready(self, program: str, seconds: float = 60) -> None:
        """Wait until a program runs and answers, after a kill too."""
        limit = time.monotonic() + seconds
        while not self._is_ready(program):
            assert time.monotonic() < limit, f"{program} is not ready: {self._state()}"
            time.sleep(_POLL_SECONDS)

    async def until_ready(self, program: str, seconds: float = 60) -> None:
        """Wait as `wait_ready`, without blocking the loop."""
        await asyncio.to_thread(self.wait_ready, program, seconds)

    def log_path(self, program: str) -> Path:
        """Return a program's log: structured lines of a service, else its output."""
        lines = self.stack.logs / f"{program}.jsonl"
        return lines if lines.exists() else self.stack.log(program)

    def flush_to_disk(self) -> None:
        """Make the servers write what they hold in memory."""
        with MongoClient(self.admin_mongo_url) as client:
            client.admin.command("fsync")
        time.sleep(1.2)  # the append-only file is written every second

    def _is_ready(self, program: str) -> bool:
        state = self._state()["programs"].get(program, {})
        pid = state.get("pid")
        return bool(
            state.get("state") == "ready"
            and pid
            and psutil.pid_exists(pid)
            and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        )

    def _state(self) -> dict[str, Any]:
        return dict(json.loads(self.stack.state_file.read_text()))

    def _get(self, listener: str, path: str, query: dict[str, str | None]) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask(listener, "GET", f"{path}?{urllib.parse.urlencode(given)}")

    def _ask(
        self, listener: str, method: str, path: str, body: dict[str, Any] | None = None
    ) -> Any:
        connection = http.client.HTTPConnection(HOST, self.port(listener), timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body or {}))
            response = connection.getresponse()
            answer = response.read()
        assert response.status == HTTPStatus.OK, answer.decode()
        return json.loads(answer)


@contextlib.contextmanager
def running_stack(
    name: str, words: tuple[str, ...] = (SERVERS,)
) -> Iterator[RunningStack]:
    """Yield a stack of its own, on ports of its own; thrown away at the end.

    ``PARLEY_TEST_STACK=<root>`` uses a stack that runs, and leaves it;
    ``PARLEY_KEEP_STACK=1`` leaves the new one running.
    """
    reused = os.environ.get("PARLEY_TEST_STACK")
    if reused:
        stack = open_stack(Path(reused))
        go_up(stack, words)
        yield RunningStack(stack)
        return
    sweep_abandoned_stacks()
    with claimed_base() as base:
        root = DEFAULT_ROOT / "test" / f"{name}-{os.getpid()}"
        stack = open_stack(root, base)
        try:
            go_up(stack, words)
            yield RunningStack(stack)
        finally:
            if os.environ.get("PARLEY_KEEP_STACK") == "1":
                (root / KEEP).touch()
            else:
                throw_away(stack)


def sweep_abandoned_stacks() -> None:
    """Throw away stacks whose test run was killed before it could.

    A folder's name ends with the pid of its test run. One that was to be kept has
    the file ``keep``.
    """
    for root in (DEFAULT_ROOT / "test").glob("*-*"):
        pid = root.name.rpartition("-")[2]
        is_abandoned = pid.isdigit() and not psutil.pid_exists(int(pid))
        if is_abandoned and not (root / KEEP).exists():
            with contextlib.suppress(StackError):
                throw_away(open_stack(root))


def go_up(stack: Stack, words: tuple[str, ...]) -> None:
    """Bring a stack up and fail with the supervisor's words if it does not come."""
    for message in bring_up(stack, words):
        assert "failed" not in message, f"{message['failed']}: {message['reason']}"


def go_down(stack: Stack) -> None:
    """Stop a stack in good order."""
    for _ in bring_down(stack):
        pass


def throw_away(stack: Stack) -> None:
    """Kill a stack and remove its folder."""
    discard(stack)
    shutil.rmtree(stack.root, ignore_errors=True)


@contextlib.contextmanager
def claimed_base() -> Iterator[int]:
    """Yield a block of free ports that no other test run on this machine takes."""
    folder = Path(tempfile.gettempdir()) / f"parley-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    bases = list(range(LOWEST_BASE, HIGHEST_BASE + 1, SPAN))
    first = os.getpid() % len(bases)
    for base in bases[first:] + bases[:first]:
        with (folder / f"{base}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if all(is_free(base + offset) for offset in OFFSETS.values()):
                yield base
                return
    raise NotRunningError("no free block of ports for a test stack")
