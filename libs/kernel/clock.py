"""Time as a dependency, so that tests can hold it still."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where a service reads the time from."""

    def now(self) -> datetime:
        """Return the wall clock, in UTC and aware, to the millisecond.

        Milliseconds because that is what BSON keeps: a value survives a round trip
        through the database unchanged.
        """
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the wall clock; see `Clock.now`."""
        milliseconds = time.time_ns() // 1_000_000
        return datetime.fromtimestamp(milliseconds / 1000, UTC)

    def monotonic(self) -> float:
        """Return seconds on the monotonic clock."""
        return time.monotonic()


class FrozenClock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds it was advanced by in all."""
        return self._monotonic

    def advance(self, by: timedelta) -> None:
        """Move both clocks forward.

        Args:
            by: Not negative.
        """
        self._now += by
        self._monotonic += by.total_seconds()
