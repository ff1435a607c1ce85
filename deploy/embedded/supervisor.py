"""The daemon of one stack: keeps its programs and answers commands.

Started by `launch.launch_supervisor`; holds the stack's supervisor lock as long as it
lives, so that there is never a second one.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from typing import Any

import structlog

from deploy.embedded.environment import write_secret_files
from deploy.embedded.errors import StackError
from deploy.embedded.keeper import Keeper, State
from deploy.embedded.layout import Stack, write_state
from deploy.embedded.log_files import rotate
from deploy.embedded.plan import dependents, programs_of, selected
from deploy.embedded.program import Program
from deploy.embedded.report import program_status

_TICK_SECONDS = 0.1
_ROTATION_SECONDS = 10.0
_PULSE_SECONDS = 2.0
_PATIENCE_SECONDS = 15.0
"""How long nothing may change during `up`, beside a program's own times."""

_log = structlog.get_logger()

Message = dict[str, Any]


class Supervisor:
    """Every program of a stack.

    Attributes:
        stack: What is supervised.
        stopped: Set when everything is stopped for good: time to exit.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.stopped = asyncio.Event()
        self._programs: dict[str, Program] = {}
        self._keepers: dict[str, Keeper] = {}
        self._leaving: asyncio.Task[None] | None = None

    @property
    def is_leaving(self) -> bool:
        """Whether everything is being stopped for good; nothing is started then."""
        return self._leaving is not None

    async def up(self, words: Iterable[str]) -> AsyncIterator[Message]:
        """Start what is missing; yield the programs' states as they change.

        Args:
            words: Programs, or nothing for all; see `plan.selected`.

        Yields:
            ``{"program", "state", "seconds"}`` for each change; the last message is
            ``{"ready": true, "was_ready": whether nothing had to be started}`` or
            ``{"failed": name, "reason": text}``.

        Raises:
            StackError: The stack is going down.
        """
        if self.is_leaving:
            raise StackError(f"the stack in {self.stack.root} is going down")
        write_secret_files(self.stack)
        self._programs = programs_of(self.stack)
        names = selected(self._programs, words)
        was_ready = {name for name in names if self._keeper(name).is_ready}
        for name in names:
            self._keep(name)
        keepers = [self._keepers[name] for name in names]
        async for message in self._watch_start(keepers, was_ready):
            yield message

    async def stop(self, names: Iterable[str]) -> AsyncIterator[Message]:
        """Stop programs, each after the named ones that need it.

        They stop even when nobody reads on.

        Yields:
            ``{"program", "state", "seconds"}`` as each is gone.
        """
        wanted = [name for name in names if name in self._keepers]
        self._begin_stop(wanted)
        async for message in self._watch_stop(wanted):
            yield message

    def leave(self, *, is_gentle: bool = True) -> None:
        """Begin to stop everything for good; `stopped` is set at the end of it.

        Args:
            is_gentle: False kills, even what is being stopped gently already.
        """
        stops = self._begin_stop(list(self._keepers), is_gentle=is_gentle)
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave(stops))

    async def down(self) -> AsyncIterator[Message]:
        """Stop everything and tell of it; the supervisor ends after it."""
        self.leave()
        async for message in self._watch_stop(list(self._keepers)):
            yield message

    async def discard(self) -> AsyncIterator[Message]:
        """Kill everything at once; the supervisor ends after it."""
        self.leave(is_gentle=False)
        await self.stopped.wait()
        yield {"discarded": True}

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

    def _begin_stop(
        self, wanted: list[str], *, is_gentle: bool = True
    ) -> list[asyncio.Task[None]]:
        """Begin to stop programs, each after the wanted ones that need it."""
        stops: dict[str, asyncio.Task[None]] = {}
        for name in reversed([name for name in self._programs if name in wanted]):
            needed_by = dependents(self._programs, name) if is_gentle else []
            before = {stops[other] for other in needed_by if other in stops}
            stop = self._keepers[name].stop(
                partial(_ended, before), is_gentle=is_gentle
            )
            if stop is not None:
                stops[name] = stop
        return list(stops.values())

    async def _leave(self, stops: list[asyncio.Task[None]]) -> None:
        results = await asyncio.gather(*stops, return_exceptions=True)
        for error in results:
            if error is not None:
                _log.error("program_not_stopped", exc_info=error)
        self.stopped.set()

    async def _watch_start(
        self, keepers: list[Keeper], was_ready: set[str]
    ) -> AsyncIterator[Message]:
        began = changed = time.monotonic()
        patience = _PATIENCE_SECONDS + max(
            keeper.program.start_seconds + keeper.program.stop_seconds
            for keeper in keepers
        )
        pulse = _Pulse()
        seen: dict[str, State] = {}
        while True:
            for keeper in keepers:
                if seen.get(keeper.program.name) is not keeper.state:
                    seen[keeper.program.name] = keeper.state
                    changed = time.monotonic()
                    if keeper.program.name not in was_ready:
                        yield _progress(keeper, began)
            is_late = time.monotonic() - changed > patience
            failed = _first_failed(keepers, is_late=is_late)
            if failed is not None:
                yield failed
                return
            missing = [k.program.name for k in keepers if not k.is_ready]
            if not missing:
                is_old = len(was_ready) == len(keepers)
                yield {"ready": True, "was_ready": is_old}
                return
            if pulse.is_due():
                yield {"waiting": missing}
            await asyncio.sleep(_TICK_SECONDS)

    async def _watch_stop(self, names: list[str]) -> AsyncIterator[Message]:
        began = time.monotonic()
        pulse = _Pulse()
        missing = [self._keepers[name] for name in names]
        while missing:
            for keeper in missing:
                if _is_over(keeper):
                    yield _progress(keeper, began)
            missing = [keeper for keeper in missing if not _is_over(keeper)]
            if missing and pulse.is_due():
                yield {"waiting": [keeper.program.name for keeper in missing]}
            if missing:
                await asyncio.sleep(_TICK_SECONDS)

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


async def _ended(tasks: set[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)


def _is_over(keeper: Keeper) -> bool:
    """Tell whether a stop is over: by its end, or by a start that came after it."""
    return keeper.state is State.STOPPED or keeper.is_wanted


def _first_failed(keepers: list[Keeper], *, is_late: bool) -> Message | None:
    for keeper in keepers:
        if keeper.is_ready:
            continue
        reason = keeper.failure
        if not keeper.is_wanted:
            reason = "was stopped meanwhile by another command"
        elif reason is None and is_late:
            reason = f"is {keeper.state.value} and nothing moves any more"
        if reason is not None:
            return {"failed": keeper.program.name, "reason": reason}
    return None


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
