"""Puts what arrives out of order back into the order of its revisions."""

from typing import Generic, TypeVar

T = TypeVar("T")


class RevisionBuffer(Generic[T]):
    """One conversation's stream: drops what is old, holds what is early.

    Wire order is not revision order when several processes write. What comes out
    has strictly rising revisions without a gap, but where `advance` jumps over a
    hole that was filled from the database.

    Args:
        delivered: The last revision that is done.
        limit: Items held before a hole counts as overdue, whatever its age.

    Attributes:
        delivered: The last revision that came out.
    """

    __slots__ = ("_held", "_held_since", "_limit", "delivered")

    def __init__(self, delivered: int, *, limit: int = 64) -> None:
        self.delivered = delivered
        self._limit = limit
        self._held: dict[int, T] = {}
        self._held_since = 0.0

    @property
    def has_hole(self) -> bool:
        """Whether something is held because something before it is missing."""
        return bool(self._held)

    def awaits(self, revision: int) -> bool:
        """Tell whether `offer` would not drop an item."""
        return revision > self.delivered and revision not in self._held

    def offer(self, revision: int, item: T, now: float) -> list[T]:
        """Take one item; return what can be delivered now, in order.

        Args:
            revision: Of the item; one that is done or held already is dropped.
            item: What to deliver.
            now: Monotonic seconds.
        """
        if revision == self.delivered + 1:
            self.delivered = revision
            return [item, *self._release(now)] if self._held else [item]
        if revision > self.delivered:
            if not self._held:
                self._held_since = now
            self._held.setdefault(revision, item)
        return []

    def is_overdue(self, now: float, patience_seconds: float) -> bool:
        """Tell whether the hole should be filled instead of waited for."""
        if not self._held:
            return False
        is_old = now - self._held_since >= patience_seconds
        return is_old or len(self._held) >= self._limit

    def advance(self, revision: int, now: float) -> list[T]:
        """Jump to a revision that was reached by other means.

        Returns:
            Held items that follow it without a gap, in order.
        """
        if revision > self.delivered:
            self.delivered = revision
            self._held = {
                held: item for held, item in self._held.items() if held > revision
            }
        return self._release(now)

    def _release(self, now: float) -> list[T]:
        ready = []
        while (item := self._held.pop(self.delivered + 1, None)) is not None:
            self.delivered += 1
            ready.append(item)
        if ready:
            self._held_since = now
        return ready
