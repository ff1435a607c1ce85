"""Lanes: items of one key one after the other, different keys side by side."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar, cast

T = TypeVar("T")


class _Entry(Generic[T]):
    """An item, and how many of its keys are still held by items before it."""

    __slots__ = ("item", "keys", "waits_for")

    def __init__(self, item: T, keys: tuple[str, ...]) -> None:
        self.item = item
        self.keys = keys
        self.waits_for = 0


class Lanes(Generic[T]):
    """Runs a coroutine function per item in tasks of its own.

    An item may have several keys: it starts when it is the first in each of their
    lanes, and whatever shares a key with it waits until it is done.

    Args:
        work: Must not raise; called with one item.
        concurrency: Items under way at the same time.
    """

    def __init__(self, work: Callable[[T], Awaitable[None]], concurrency: int) -> None:
        self._work = work
        self._concurrency = concurrency
        self._lanes: dict[str, deque[_Entry[T]]] = {}  # the head of a lane is active
        self._ready: deque[_Entry[T]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    def put(self, keys: Iterable[str], item: T) -> None:
        """Queue an item behind the others of its keys."""
        entry = _Entry(item, tuple(dict.fromkeys(keys)))
        for key in entry.keys:
            lane = self._lanes.setdefault(key, deque())
            entry.waits_for += bool(lane)
            lane.append(entry)
        if not entry.waits_for:
            self._ready.append(entry)
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
            entry = self._ready.popleft()
            try:
                await self._work(entry.item)
            finally:
                self._finish(entry)
        self._tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _finish(self, entry: _Entry[T]) -> None:
        for key in entry.keys:
            lane = self._lanes[key]
            lane.popleft()
            if not lane:
                del self._lanes[key]
                continue
            lane[0].waits_for -= 1
            if not lane[0].waits_for:
                self._ready.append(lane[0])
                self._start()
