"""The daemon of one stack: keeps its programs and answers commands.

Started by `launch.launch_supervisor`; holds the stack's supervisor lock as long as it
lives, so that there is never a second one.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from deploy.embedded.environment import write_secret_files
from deploy.embedded.keeper import Keeper, State
from deploy.embedded.layout import Stack, write_state
from deploy.embedded.log_files import rotate
from deploy.embedded.plan import dependents, programs_of, selected
from deploy.embedded.program import Program
from deploy.embedded.report import program_status

_TICK_SECONDS = 0.1
_ROTATION_SECONDS = 10.0
_PULSE_SECONDS = 2.0

Message = dict[str, Any]


class Supervisor:
    """Every program of a stack.

    Attributes:
        stack: What is supervised.
        stopped: Set when `down` has stopped everything: time to exit.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.stopped = asyncio.Event()
        self._programs: dict[str, Program] = {}
        self._keepers: dict[str, Keeper] = {}

    async def up(self, words: Iterable[str]) -> AsyncIterator[Message]:
        """Start what is missing; yield the programs' states as they change.

        Args:
            words: Programs, or nothing for all; see `plan.selected`.

        Yields:
            ``{"program", "state", "seconds"}`` for each change; the last message is
            ``{"ready": true}`` or ``{"failed": name, "reason": text}``.
        """
        write_secret_files(self.stack)
        self._programs = programs_of(self.stack)
        names = selected(self._programs, words)
        for name in names:
            self._keep(name)
        began = time.monotonic()
        pulse = _Pulse()
        seen: dict[str, State] = {}
        while True:
            for name in names:
                keeper = self._keepers[name]
                if seen.get(name) is not keeper.state:
                    seen[name] = keeper.state
                    yield _progress(keeper, began)
                if keeper.failure is not None and not keeper.is_ready:
                    yield {"failed": name, "reason": keeper.failure}
                    return
            missing = [name for name in names if not self._keepers[name].is_ready]
            if not missing:
                yield {"ready": True, "seconds": time.monotonic() - began}
                return
            if pulse.is_due():
                yield {"waiting": missing}
            await asyncio.sleep(_TICK_SECONDS)

    async def stop(self, names: Iterable[str]) -> AsyncIterator[Message]:
        """Stop programs, each after the named ones that need it.

        Yields:
            ``{"program", "state", "seconds"}`` as each is gone.
        """
        began = time.monotonic()
        wanted = [name for name in names if name in self._keepers]
        tasks: dict[str, asyncio.Task[Keeper]] = {}
        for name in reversed([name for name in self._programs if name in wanted]):
            before = [
                tasks[other]
                for other in dependents(self._programs, name)
                if other in tasks
            ]
            tasks[name] = asyncio.create_task(self._stop_one(name, before))
        missing = set(tasks.values())
        while missing:
            done, missing = await asyncio.wait(
                missing,
                timeout=_PULSE_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                yield _progress(task.result(), began)
            if not done:
                yield {"waiting": [n for n, task in tasks.items() if not task.done()]}

    async def down(self) -> AsyncIterator[Message]:
        """Stop everything; the supervisor ends after it."""
        async for message in self.stop(list(self._keepers)):
            yield message
        self.stopped.set()

    async def discard(self) -> AsyncIterator[Message]:
        """Kill everything at once; the supervisor ends after it."""
        keepers = self._keepers.values()
        await asyncio.gather(*(keeper.stop(is_gentle=False) for keeper in keepers))
        yield {"discarded": True}
        self.stopped.set()

    async def start_one(
        self, name: str, environment: Mapping[str, str] | None
    ) -> AsyncIterator[Message]:
        """Start one program with those it needs, as `up` does.

        Args:
            name: The program.
            environment: Laid over its own from this start on; None: as before.
        """
        self._programs = programs_of(self.stack)
        selected(self._programs, [name])
        if environment is not None:
            self._keeper(name).extra_environment = dict(environment)
        async for message in self.up([name]):
            yield message

    async def status(self) -> Message:
        """Return what runs, with a fresh probe of each program."""
        keepers = [
            self._keepers[name] for name in self._programs if name in self._keepers
        ]
        reports = await asyncio.gather(
            *(program_status(self.stack, keeper) for keeper in keepers)
        )
        return {
            "root": str(self.stack.root),
            "base": self.stack.base,
            "programs": reports,
        }

    async def rotate_logs(self) -> None:
        """Keep the log files small, for ever."""
        while True:
            for path in self.stack.logs.glob("*.log"):
                rotate(path)
            await asyncio.sleep(_ROTATION_SECONDS)

    def _keeper(self, name: str) -> Keeper:
        keeper = self._keepers.get(name)
        if keeper is None:
            keeper = Keeper(self.stack, self._programs[name], self._record)
            self._keepers[name] = keeper
        return keeper

    def _keep(self, name: str) -> None:
        keeper = self._keeper(name)
        if not keeper.is_wanted:
            keeper.program = self._programs[name]
        before = [self._keeper(other) for other in self._programs[name].after]

        async def wait_for() -> None:
            for other in before:
                await other.until_ready()

        keeper.start(wait_for)

    async def _stop_one(self, name: str, before: list[asyncio.Task[Keeper]]) -> Keeper:
        if before:
            await asyncio.wait(before)
        await self._keepers[name].stop()
        return self._keepers[name]

    def _record(self) -> None:
        """Write the state file, by which a stack's processes are found again."""
        write_state(
            self.stack,
            {
                name: {
                    "pid": keeper.pid,
                    "started_at": keeper.child.started_at if keeper.child else 0,
                    "state": keeper.state.value,
                    "restarts": keeper.restarts,
                }
                for name, keeper in self._keepers.items()
            },
        )


class _Pulse:
    """Tells when it is time for another word to somebody who waits."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _PULSE_SECONDS

    def is_due(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _PULSE_SECONDS
        return True


def _progress(keeper: Keeper, began: float) -> Message:
    return {
        "program": keeper.program.name,
        "state": keeper.state.value,
        "seconds": time.monotonic() - began,
    }
