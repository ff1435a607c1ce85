"""Run cells as processes, and let the memory ones lose and find their broker."""

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from bench.events.meter import Order

Figures = dict[str, float]

ENVIRONMENT = Path(".smoke/bench")
REQUIREMENTS = "requirements/bench.txt"
_CELL_SECONDS = 1200.0
_SHOWN_BYTES = 3000


@dataclass(frozen=True)
class Cell:
    """One measurement of one system.

    Attributes:
        system: ``parley``, ``aio-pika`` or ``faststream``.
        module: What runs.
        scenario: What it is asked to measure.
        has_logs: Whether it writes its log lines.
    """

    system: str
    module: str
    scenario: str
    has_logs: bool = False

    @property
    def name(self) -> str:
        """Unique in a run."""
        logs = "+logs" if self.has_logs else ""
        return f"{self.module.rpartition('.')[2]}:{self.scenario}{logs}"


def python_of(system: str) -> str:
    """Return the interpreter of a system; FastStream has an environment of its own."""
    if system != "faststream":
        return sys.executable
    python = ENVIRONMENT / "bin" / "python"
    uv = str(Path(sys.executable).parent / "uv")
    if not python.exists():
        _run(uv, "venv", "-q", "--python", sys.executable, str(ENVIRONMENT))
    sync = ("pip", "sync", "-q", "--require-hashes")
    _run(uv, *sync, "--python", str(python), REQUIREMENTS)
    return str(python.absolute())


async def run(cell: Cell, python: str, order: Order) -> Figures:
    """Run a cell; returns its figures.

    Raises:
        RuntimeError: It failed; the text is the end of what it wrote.
    """
    order = replace(order, scenario=cell.scenario, has_logs=cell.has_logs)
    with tempfile.TemporaryFile() as errors:
        async with _door(order) as (order, serve):
            process = await asyncio.create_subprocess_exec(
                *(python, "-m", cell.module, json.dumps(asdict(order))),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
            try:
                async with asyncio.timeout(_CELL_SECONDS):
                    answer = await serve(process)
                    status = await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if status or not answer:
            errors.seek(max(0, errors.tell() - _SHOWN_BYTES))
            text = errors.read().decode(errors="replace")
            raise RuntimeError(f"{cell.name} ended with {status}: {text}")
    return dict(json.loads(answer))


class _Forwarder:
    """Carries bytes to the broker, as long as it is open."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        """Listen, on the same port again."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Close the listener and every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, back = await asyncio.open_connection(*self._target)
        try:
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            back.close()
            self._tasks.discard(task)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(256 * 1024):
        target.write(chunk)
        await target.drain()
    target.close()


@contextlib.asynccontextmanager
async def _door(order: Order):  # noqa: ANN202 - an order and a function
    """Put a forwarder before the broker for a cell that wants to lose it."""
    if not order.scenario.startswith("waiting"):
        yield order, lambda process: _answers(process, None)
        return
    url = urlsplit(order.amqp_url)
    forwarder = _Forwarder(url.hostname or "", url.port or 0)
    await forwarder.open()
    place = f"{url.username}:{url.password}@127.0.0.1:{forwarder.port}"
    through = replace(order, amqp_url=url._replace(netloc=place).geturl())
    try:
        yield through, lambda process: _answers(process, forwarder)
    finally:
        await forwarder.cut()


async def _answers(
    process: asyncio.subprocess.Process, forwarder: _Forwarder | None
) -> str:
    """Do what the cell asks for; return its last line."""
    assert process.stdout is not None
    assert process.stdin is not None
    last = ""
    async for line in process.stdout:
        last = line.decode().strip()
        if forwarder is not None and last in ("cut", "open"):
            await (forwarder.cut() if last == "cut" else forwarder.open())
            process.stdin.write(b"\n")
            await process.stdin.drain()
    return last


def _run(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603 - our own tools
