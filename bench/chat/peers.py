"""Servers that are measured beside each other: each prints the port that it took."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.events.meter import cpu_of, rss_kb_of

PEERS = Path(__file__).parents[1] / "peers"
INSTALLED = Path(".parley/bench/peers")
NODE_MISSING = "Node and npm are not on this machine: the peer is left out"
_START_SECONDS = 30
_INSTALL_SECONDS = 120


class PeerMissingError(Exception):
    """A peer cannot be run here; the text says why."""


@dataclass(frozen=True)
class Server:
    """A process that serves sockets.

    Attributes:
        url: Of its WebSocket listener.
    """

    url: str
    pid: int

    @property
    def cpu_seconds(self) -> float:
        """CPU that it has used so far, user and system."""
        return cpu_of(self.pid)

    @property
    def rss_kb(self) -> float:
        """Memory of it that is resident now, in kB of 1,000 bytes."""
        return rss_kb_of(self.pid)


@contextlib.asynccontextmanager
async def serving(command: Sequence[str]) -> AsyncIterator[Server]:
    """Run a server while the block runs; its first line is the port it took."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is None:
            raise PeerMissingError("a server without output")
        async with asyncio.timeout(_START_SECONDS):
            line = (await process.stdout.readline()).strip()
        if not line.isdigit():
            raise PeerMissingError(f"{command[0]} did not come up")
        yield Server(f"ws://127.0.0.1:{int(line)}", process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def python_command(module: str) -> list[str]:
    """Return how to run a server that is a module of ours."""
    return [sys.executable, "-m", module]


def node_command(script: str) -> list[str]:
    """Install the pinned peers under `.parley` and return how to run one of them.

    Raises:
        PeerMissingError: Node or npm is missing, or npm cannot install.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise PeerMissingError(NODE_MISSING)
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", script):
        shutil.copy(PEERS / name, INSTALLED / name)
    _install(npm)
    return [node, str(INSTALLED / script)]


def _install(npm: str) -> None:
    """Run ``npm ci`` where the lock differs from what was installed last."""
    lock, stamp = INSTALLED / "package-lock.json", INSTALLED / "installed-lock.json"
    if stamp.is_file() and stamp.read_bytes() == lock.read_bytes():
        return
    done = subprocess.run(  # noqa: S603 - npm, with our lock
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=INSTALLED,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    if done.returncode:
        raise PeerMissingError(f"npm ci failed: {done.stderr.strip()[-300:]}")
    shutil.copy(lock, stamp)
