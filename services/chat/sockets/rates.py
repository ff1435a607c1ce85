"""How fast one socket may talk: GCRA, in this process."""

from collections.abc import Callable

from libs.kernel import RateLimitedError, UserId

_SWEEP_SECONDS = 30.0


class Gcra:
    """Generic cell rate algorithm: a steady rate and a burst, in one number.

    Args:
        per_second: Steady rate, above 0.
        burst: Events that may come at once, at least 1.
    """

    __slots__ = ("_arrival", "_interval", "_tolerance")

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval = 1.0 / per_second
        self._tolerance = self._interval * (burst - 1)
        self._arrival = 0.0

    def wait_seconds(self, now: float, cost: int = 1) -> float:
        """Take an event if it may come now; return 0, else how long to wait.

        Args:
            now: Monotonic seconds.
            cost: For how many events it counts, at most the burst.
        """
        arrival = max(self._arrival, now)
        early_by = arrival + self._interval * (cost - 1) - self._tolerance - now
        if early_by > 1e-9:  # noqa: PLR2004 - what rounding adds
            return early_by
        self._arrival = arrival + self._interval * cost
        return 0.0

    def is_idle(self, now: float) -> bool:
        """Tell whether it is as good as a new one."""
        return self._arrival <= now


class Violations:
    """Counts seconds in a row in which a client went over its rate.

    A burst that is refused within one second counts once: a client that stops when
    it is told to is not punished for what was under way.
    """

    __slots__ = ("_count", "_limit", "_second")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._second = -1
        self._count = 0

    def is_too_many(self, now: float) -> bool:
        """Count a refusal; tell whether the socket should be closed."""
        second = int(now)
        if second != self._second:
            self._count = self._count + 1 if second == self._second + 1 else 1
            self._second = second
        return self._count >= self._limit


class UserRates:
    """One limiter a user, over all the user's sockets of this process.

    Args:
        per_second: See `Gcra`.
        burst: See `Gcra`.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._limiters: dict[UserId, Gcra] = {}
        self._swept_at = 0.0

    def of(self, user_id: UserId, now: float) -> Gcra:
        """Return a user's limiter; idle ones are forgotten now and then."""
        if now - self._swept_at >= _SWEEP_SECONDS:
            self._swept_at = now
            self._limiters = {
                known: limiter
                for known, limiter in self._limiters.items()
                if not limiter.is_idle(now)
            }
        limiter = self._limiters.get(user_id)
        if limiter is None:
            limiter = self._limiters[user_id] = Gcra(self._per_second, self._burst)
        return limiter


def require_rate(
    limiter: Gcra, now: float, on_refused: Callable[[], None], cost: int = 1
) -> None:
    """Refuse an event that comes too early.

    Raises:
        RateLimitedError: With the time to wait.
    """
    wait_seconds = limiter.wait_seconds(now, cost)
    if wait_seconds > 0:
        on_refused()
        raise RateLimitedError(
            "rate_limited",
            "Too many events.",
            retry_after_seconds=round(wait_seconds, 3),
        )
