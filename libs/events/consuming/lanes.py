"""Lanes: items of one key one after the other, different keys side by side."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """Runs a coroutine function per item in tasks of its own.

    Args:
        work: Must not raise; called with one item.
        concurrency: Items under way at the same time.
    """

    def __init__(self, work: Callable[[T], Awaitable[None]], concurrency: int) -> None:
        self._work = work
        self._concurrency = concurrency
        self._behind: dict[str, deque[T]] = {}  # a key is here while it is active
        self._ready: deque[tuple[str, T]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    def put(self, key: str, item: T) -> None:
        """Queue an item behind the others of its key."""
        behind = self._behind.get(key)
        if behind is not None:
            behind.append(item)
            return
        self._behind[key] = deque()
        self._ready.append((key, item))
        self._start()

    async def stop(self, within_seconds: float) -> bool:
        """Start no item any more and wait for those under way.

        Returns:
            Whether all finished; else the rest was cancelled.
        """
        self._is_stopped = True
        self._ready.clear()
        if not self._tasks:
            return True
        _, late = await asyncio.wait(self._tasks, timeout=within_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return not late

    def _start(self) -> None:
        if self._ready and len(self._tasks) < self._concurrency:
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        while self._ready and not self._is_stopped:
            key, item = self._ready.popleft()
            try:
                await self._work(item)
            finally:
                self._finish(key)

    def _finish(self, key: str) -> None:
        behind = self._behind[key]
        if behind:
            self._ready.append((key, behind.popleft()))
        else:
            del self._behind[key]
