"""What arrives while transactions are under way: the next one takes it together."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from libs.events.consuming.intake import Item

_SIDE_BY_SIDE = 2
_MOST_SECONDS = 0.1


class Arrivals:
    """Gathers events until a transaction may take them, as a group commit does.

    While fewer than two transactions are under way, that is at once: what one turn
    of the loop brought goes on together. Else it is when one of them ends, or after
    100 ms: a handler that hangs does not hold up the others for longer.

    Args:
        lay_out: Takes the events of some frames, in order.
    """

    def __init__(self, lay_out: Callable[[list[Sequence[Item]]], None]) -> None:
        self._lay_out = lay_out
        self._frames: list[Sequence[Item]] = []
        self._due: asyncio.Handle | None = None
        self._under_way = 0

    def put(self, items: Sequence[Item], *, may_wait: bool) -> None:
        """Take a frame's events; those that may not wait go on in this turn."""
        self._frames.append(items)
        loop = asyncio.get_running_loop()
        if may_wait and self._under_way >= _SIDE_BY_SIDE:
            if self._due is None:
                self._due = loop.call_later(_MOST_SECONDS, self.release)
            return
        if self._due is not None:
            self._due.cancel()
        self._due = loop.call_soon(self.release)

    def release(self) -> None:
        """Let go on what is here."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._frames:
            frames, self._frames = self._frames, []
            self._lay_out(frames)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Count one as under way; its end releases what waited for it."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self.release()
