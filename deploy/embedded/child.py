"""One run of a program as a child process of the supervisor."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from deploy.embedded.errors import PortTakenError
from deploy.embedded.layout import CHECKOUT, MARKER, Stack
from deploy.embedded.log_files import open_log
from deploy.embedded.orphans import end_processes, is_of_stack
from deploy.embedded.overrides import overrides_of
from deploy.embedded.ports import is_free, listener_of, owner_of
from deploy.embedded.program import Group, Program

FREE_PORT_SECONDS = 10.0
"""How long a port may still be in use by the run before this one."""

_LEASH = Path(__file__).with_name("leash.py")
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
_POLL_SECONDS = 0.05
_LEFTOVER_SECONDS = 3.0


class Child:
    """A process that was started for a program, leader of its own session.

    Attributes:
        pid: Its id, which is the program's own: nothing stands between.
        log_start_bytes: Where its output begins in the program's log file.
        started_at: When it was made, seconds since the epoch as the kernel knows it.
    """

    def __init__(
        self,
        running: asyncio.subprocess.Process,
        program: Program,
        log_start_bytes: int,
    ) -> None:
        self.log_start_bytes = log_start_bytes
        self.pid = running.pid
        self.started_at = _create_time(running.pid)
        self._running = running
        self._program = program

    @classmethod
    async def spawn(
        cls, stack: Stack, program: Program, extra_environment: Mapping[str, str]
    ) -> "Child":
        """Start a program, on the supervisor's leash, its output in its log file."""
        with open_log(stack.log(program.name)) as log:
            log_start_bytes = os.fstat(log).st_size
            running = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_LEASH), str(os.getpid())),
                *program.command,
                cwd=program.working_folder or CHECKOUT,
                env=environment_of(stack, program) | dict(extra_environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return cls(running, program, log_start_bytes)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, as far as the event loop knows."""
        return self._running.returncode is None

    async def wait(self) -> int:
        """Return the exit status once the process has ended."""
        return await self._running.wait()

    async def end(self, *, is_gentle: bool = True) -> None:
        """Ask the process to stop, kill it at the deadline, and what it left too.

        Args:
            is_gentle: False kills at once: for a stack that is thrown away.
        """
        if self.is_running and not is_gentle:
            self._kill_session()
            await self._running.wait()
        elif self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, self._program.stop_signal)
            try:
                async with asyncio.timeout(self._program.stop_seconds):
                    await self._running.wait()
            except TimeoutError:
                self._kill_session()
                await self._running.wait()
        await self.end_leftovers()

    def kill(self) -> None:
        """Kill the process and its session without a word; `wait` sees the end."""
        if self.is_running:
            self._kill_session()

    async def end_leftovers(self) -> None:
        """Kill what the ended process left in its session, such as workers."""
        limit = time.monotonic() + _LEFTOVER_SECONDS
        # The kernel tells nobody when a process group is empty: asked until it is.
        while self._kill_session() and time.monotonic() < limit:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)

    def _kill_session(self) -> bool:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def environment_of(stack: Stack, program: Program) -> dict[str, str]:
    """Return the whole environment of a program: little of ours, and its own.

    The operator's overrides lie over a service's.

    Raises:
        StackError: The file of overrides is wrong.
    """
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    own = {MARKER: str(stack.root), "PYTHONUNBUFFERED": "1"}
    overrides: dict[str, str] = {}
    if program.group is Group.SERVICE:
        overrides = overrides_of(stack, program.name)
    return passed_on | own | dict(program.environment) | overrides


async def until_ports_are_free(
    stack: Stack, program: Program, deadline_seconds: float = FREE_PORT_SECONDS
) -> None:
    """Wait until a program's ports are free; end leftovers of this very stack.

    Raises:
        PortTakenError: Somebody else holds one of them, or it stays taken.
    """
    limit = time.monotonic() + deadline_seconds
    for name in program.ports:
        port = stack.port(name)
        while not is_free(port):
            holder = listener_of(port)
            if holder is not None and is_of_stack(holder, stack):
                end_processes([holder])
            elif holder is not None or time.monotonic() > limit:
                raise PortTakenError(port, program.name, owner_of(port))
            await asyncio.sleep(_POLL_SECONDS)


def _create_time(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return time.time()
