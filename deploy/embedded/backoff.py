"""How long a program that keeps ending waits before its next start."""

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 15.0
STEADY_SECONDS = 20.0
"""After this long a run counts as healthy, and the next failure as the first."""


class Backoff:
    """Doubling delays, reset by a run that lasted."""

    def __init__(self) -> None:
        self._failures = 0

    def next_seconds(self, uptime_seconds: float) -> float:
        """Return the delay after a run that ended.

        Args:
            uptime_seconds: How long the run that has just ended lasted.
        """
        if uptime_seconds >= STEADY_SECONDS:
            self._failures = 0
        delay = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        return delay
