"""Circuit breaker: stops asking what does not answer (HT-6)."""

from collections import deque
from dataclasses import dataclass

from libs.kernel import Clock, SystemClock, UnavailableError

_WINDOW_SECONDS = 10.0
LEAST_CALLS = 20
_RATIO = 0.5
_OPEN_SECONDS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Leave:
    """Leave for one call, to be shown again when its outcome is reported.

    Attributes:
        is_probe: Whether it is the probe of an open breaker: others are refused until
            it has been reported, so it should not take long.
    """

    is_probe: bool


class Breaker:
    """Opens at 50 % failures of at least 20 calls in 10 s, for 2 s, then probes.

    While it is open, calls are refused at once. After that one call at a time is let
    through; if it succeeds, the breaker closes. Each opening, probe and closing begins
    a generation, and a call counts for its own alone: one that hung since before says
    nothing of how things are now.

    Args:
        name: What it guards, for the error.
        clock: Monotonic time.
        least_calls: So many calls in 10 s before it opens at all.
    """

    def __init__(
        self, name: str, clock: Clock | None = None, least_calls: int = LEAST_CALLS
    ) -> None:
        self._name = name
        self._least_calls = least_calls
        self._clock = clock or SystemClock()
        # Second of the clock, calls and failures in it: bounded, however busy it is.
        self._seconds: deque[list[int]] = deque()
        self._calls = 0
        self._failures = 0
        self._opened_at: float | None = None
        self._probe_at: float | None = None
        self._leave = Leave(is_probe=False)

    @property
    def is_open(self) -> bool:
        """Whether calls are being refused or probed."""
        return self._opened_at is not None

    def check(self) -> Leave:
        """Return leave for a call, which is then reported by one of the methods below.

        Raises:
            UnavailableError: ``<name>_unavailable``; not now.
        """
        if self._opened_at is None:
            return self._leave
        now = self._clock.monotonic()
        # A probe that nobody reported on (its task died) must not hold for ever.
        is_probing = self._probe_at is not None and now - self._probe_at < (
            _WINDOW_SECONDS
        )
        if now - self._opened_at < _OPEN_SECONDS or is_probing:
            raise UnavailableError(
                f"{self._name}_unavailable",
                "A service this needs does not answer.",
                retry_after_seconds=_OPEN_SECONDS,
            )
        self._probe_at = now
        return self._begin(is_probe=True)

    def withdrawn(self, leave: Leave) -> None:
        """Report that the call says nothing: its own caller gave it up."""
        if leave is self._leave:
            self._probe_at = None

    def succeeded(self, leave: Leave) -> None:
        """Report an answer, whatever it says, below status 500."""
        if leave is not self._leave:
            return
        if leave.is_probe:
            self._opened_at = self._probe_at = None
            self._seconds.clear()
            self._calls = self._failures = 0
            self._begin(is_probe=False)
        self._count(is_failure=False)

    def failed(self, leave: Leave) -> None:
        """Report no answer, or one that says the server is broken."""
        if leave is not self._leave:
            return
        now = self._count(is_failure=True)
        is_bad = self._failures >= self._calls * _RATIO
        if leave.is_probe or (self._calls >= self._least_calls and is_bad):
            self._opened_at, self._probe_at = now, None
            self._begin(is_probe=False)

    def _begin(self, *, is_probe: bool) -> Leave:
        """Begin a generation: reports on earlier leaves count no more."""
        self._leave = Leave(is_probe)
        return self._leave

    def _count(self, *, is_failure: bool) -> float:
        now = self._clock.monotonic()
        if not self._seconds or self._seconds[-1][0] != int(now):
            self._seconds.append([int(now), 0, 0])
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += is_failure
        self._calls += 1
        self._failures += is_failure
        while now - self._seconds[0][0] > _WINDOW_SECONDS:
            _, calls, failures = self._seconds.popleft()
            self._calls -= calls
            self._failures -= failures
        return now
