"""Background tasks with an owner: restarted when they fail, ended when it ends."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import structlog
from prometheus_client import Counter

from libs.kernel import AppError, Clock, SystemClock, end_tasks

CoroutineFunction = Callable[[], Awaitable[None]]

_FIRST_DELAY_SECONDS = 0.1
_LAST_DELAY_SECONDS = 30.0
_HEALTHY_SECONDS = 60.0
_log = structlog.get_logger()
_restarts = Counter(
    "background_task_restarts_total", "Background tasks that failed.", ["task"]
)


class TaskSupervisor:
    """Owns the background tasks of a service or of a part of it.

    Example::

        async with TaskSupervisor() as tasks:
            tasks.start("session-poll", watch.poll)

    Leaving the block cancels what still runs and waits for its end. A supervised
    function that raises is logged, counted and started again after 0.1 to 30 s; one
    that returns has finished.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel all tasks and wait for their end."""
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel all tasks and wait for their end; idempotent."""
        self._is_closed = True
        while self._tasks:
            await end_tasks(tuple(self._tasks))

    def start(self, name: str, function: CoroutineFunction) -> "asyncio.Task[None]":
        """Run a function until it returns, again after each failure."""
        return self._own(name, self._supervise(name, function))

    def spawn(self, name: str, function: CoroutineFunction) -> "asyncio.Task[None]":
        """Run a function once; a failure is logged and counted."""
        return self._own(name, self._run_once(name, function))

    def _own(self, name: str, coroutine: "Awaitable[None]") -> "asyncio.Task[None]":
        if self._is_closed:
            coroutine.close()  # type: ignore[attr-defined]  # a coroutine, never run
            raise RuntimeError("the supervisor has been closed")
        task: asyncio.Task[None] = asyncio.create_task(coroutine, name=name)  # type: ignore[arg-type]  # as above
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _supervise(self, name: str, function: CoroutineFunction) -> None:
        delay = _FIRST_DELAY_SECONDS
        while True:
            started = self._clock.monotonic()
            if await self._is_done(name, function):
                return
            if self._clock.monotonic() - started > _HEALTHY_SECONDS:
                delay = _FIRST_DELAY_SECONDS
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            delay = min(delay * 2, _LAST_DELAY_SECONDS)

    async def _run_once(self, name: str, function: CoroutineFunction) -> None:
        await self._is_done(name, function)

    async def _is_done(self, name: str, function: CoroutineFunction) -> bool:
        try:
            await function()
        except AppError as error:
            _log.warning("background_task_failed", task=name, error=error.code)
        except Exception as error:  # noqa: BLE001 - one of the edges
            _log.error("background_task_failed", task=name, exc_info=error)
        else:
            return True
        _restarts.labels(name).inc()
        return False
