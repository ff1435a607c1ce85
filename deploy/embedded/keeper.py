"""Keeps one program running: start, readiness, restart with backoff, stop."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import Enum

import structlog

from deploy.embedded.backoff import Backoff
from deploy.embedded.child import Child, until_ports_are_free
from deploy.embedded.errors import StackError, StartError
from deploy.embedded.layout import Stack
from deploy.embedded.log_files import last_lines
from deploy.embedded.program import Program
from deploy.embedded.readiness import NotReadyError
from libs.kernel import end_tasks

_log = structlog.get_logger()
_POLL_SECONDS = 0.1
_CRASHES_FORGIVEN = 1


class State(Enum):
    """Where a program is in its life."""

    STOPPED = "stopped"
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    BACKOFF = "backoff"
    STOPPING = "stopping"


class CrashError(StartError):
    """A program ended before it was ready."""


class Keeper:
    """One program and its present process.

    Attributes:
        program: What is kept.
        state: Where it is.
        failure: Why it does not get ready, None while there is hope.
        restarts: Starts after the first one, since it was last asked to run.
        extra_environment: Laid over the program's own at its next start.
        child: The present or last process, None before the first.
        ready_at: `time.monotonic` of the last readiness, 0 before the first.
    """

    def __init__(
        self, stack: Stack, program: Program, changed: Callable[[], None]
    ) -> None:
        """Describe a stopped program.

        Args:
            stack: Its stack.
            program: What to keep.
            changed: Called after every change of state or process.
        """
        self.program = program
        self.state = State.STOPPED
        self.failure: str | None = None
        self.restarts = 0
        self.extra_environment: dict[str, str] = {}
        self.child: Child | None = None
        self.ready_at = 0.0
        self._stack = stack
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._is_gentle = True
        self._ready = asyncio.Event()
        self._doubt = ""

    @property
    def pid(self) -> int | None:
        """The process's id, None while it does not run."""
        return self.child.pid if self.child and self.child.is_running else None

    @property
    def is_ready(self) -> bool:
        """Whether those after it may start."""
        return self._ready.is_set()

    @property
    def is_wanted(self) -> bool:
        """Whether it was asked to run and not to stop."""
        return self._task is not None

    async def until_ready(self) -> None:
        """Wait until the program is ready."""
        await self._ready.wait()

    def start(self, wait_for: Callable[[], Awaitable[None]]) -> None:
        """Keep the program running from now on; no effect while that is so.

        Args:
            wait_for: Awaited before the first start: the programs it comes after.
        """
        self.failure = None
        if self._task is not None and not self._task.done():
            if self.state is not State.BACKOFF:
                return
            # Asked for by name: not after the rest of the pause, but now.
            self._task.cancel()
        self.restarts = 0
        self._ready.clear()
        self._set(State.WAITING)
        self._task = asyncio.create_task(
            self._keep_after(self._stopping, wait_for), name=self.program.name
        )

    def stop(
        self, wait_for: Callable[[], Awaitable[None]], *, is_gentle: bool = True
    ) -> asyncio.Task[None] | None:
        """Stop the program for good, in one task that every asker shares.

        The task goes on when the asker goes away; a later `start` waits for its end.

        Args:
            wait_for: Awaited before: the ends of the programs that need it.
            is_gentle: False kills it, even while it is being stopped gently.

        Returns:
            What ends when nothing is left of the program; None: nothing was.
        """
        if not is_gentle:
            self._is_gentle = False
            if self._ending is not None:
                self._ending.cancel()
            if self.child is not None:
                self.child.kill()
        task, self._task = self._task, None
        if task is not None:
            self._ending = task
            self._ready.clear()
            before = self._stopping
            self._stopping = asyncio.create_task(self._end(task, before, wait_for))
        return self._stopping

    async def _end(
        self,
        task: asyncio.Task[None],
        before: asyncio.Task[None] | None,
        wait_for: Callable[[], Awaitable[None]],
    ) -> None:
        await wait_for()
        self._set_unless_wanted(State.STOPPING)
        task.cancel()
        await asyncio.wait({task} if before is None else {task, before})
        if self.child is not None:
            await self.child.end(is_gentle=self._is_gentle)
        self.program.clean_up()
        self._is_gentle = True
        self._set_unless_wanted(State.STOPPED)

    def _set(self, state: State) -> None:
        self.state = state
        self._changed()

    def _set_unless_wanted(self, state: State) -> None:
        """Set a state of stopping, unless somebody has asked to start meanwhile."""
        if self._task is None:
            self._set(state)

    async def _keep_after(
        self,
        stopping: asyncio.Task[None] | None,
        wait_for: Callable[[], Awaitable[None]],
    ) -> None:
        """Keep the program once its last stop is over."""
        if stopping is not None:
            # Not `await stopping`: a cancelled start must not cancel the stop.
            await asyncio.wait({stopping})
        await self._keep(wait_for)

    async def _keep(self, wait_for: Callable[[], Awaitable[None]]) -> None:
        await wait_for()
        backoff = Backoff()
        crashes = 0
        log = _log.bind(program=self.program.name)
        while True:
            began = time.monotonic()
            try:
                await self._run_once()
            except StackError as error:
                crashes += 1
                log.warning("program_not_started", tries=crashes)
                is_hopeful = isinstance(error, CrashError)
                if not is_hopeful or crashes > _CRASHES_FORGIVEN:
                    self.failure = str(error)
            except Exception as error:
                crashes += 1
                self.failure = f"{type(error).__name__}: {error}"
                log.exception("program_not_started", tries=crashes)
            else:
                crashes = 0
                if self.program.is_task:
                    return
            self._ready.clear()
            self._set(State.BACKOFF)
            await asyncio.sleep(backoff.next_seconds(time.monotonic() - began))
            self.restarts += 1

    async def _run_once(self) -> None:
        """Start the program and return when it has ended after being ready.

        Raises:
            StackError: It could not be started or did not get ready.
        """
        self._set(State.STARTING)
        await until_ports_are_free(self._stack, self.program)
        self.program.prepare()
        child = await Child.spawn(self._stack, self.program, self.extra_environment)
        self.child = child
        self._changed()
        try:
            await self._until_settled(child)
        except StackError:
            await child.end()
            raise
        self.failure = None
        self.ready_at = time.monotonic()
        if self._task is asyncio.current_task():
            self._ready.set()
        self._set(State.DONE if self.program.is_task else State.READY)
        log = _log.bind(program=self.program.name, pid=child.pid)
        log.info("program_ready")
        status = await child.wait()
        if not self.program.is_task:
            log.warning("program_ended", status=status)
        await child.end_leftovers()

    async def _until_settled(self, child: Child) -> None:
        """Wait until the program is ready, or a task has ended well.

        Raises:
            StartError: It ended before, or was not ready in its time.
        """
        ended = asyncio.create_task(child.wait())
        settled = asyncio.create_task(self._probe())
        tasks = {ended} if self.program.is_task else {ended, settled}
        try:
            await asyncio.wait(
                tasks,
                timeout=self.program.start_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if ended.done():
                self._judge_end(ended.result())
            elif settled not in tasks or not settled.done():
                raise self._error(StartError, f"is not ready: {self._doubt}")
        finally:
            # A probe may take its cancellation for one more refusal of its server.
            await end_tasks((ended, settled))

    def _judge_end(self, status: int) -> None:
        if self.program.is_task and status == 0:
            return
        raise self._error(CrashError, f"ended with status {status}")

    async def _probe(self) -> None:
        while True:
            try:
                await self.program.settle()
            except (NotReadyError, OSError, TimeoutError) as error:
                self._doubt = str(error) or type(error).__name__
            else:
                return
            await asyncio.sleep(_POLL_SECONDS)

    def _error(self, kind: type[StartError], what: str) -> StartError:
        path = self._stack.log(self.program.name)
        start = self.child.log_start_bytes if self.child else 0
        said = last_lines(path, since_bytes=start)
        return kind(f"{self.program.name} {what}\nlast lines of {path}:\n{said}")
