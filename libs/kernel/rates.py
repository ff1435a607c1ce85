"""Rate limits: the generic cell rate algorithm (ITU-T I.371), and a local form of it.

One number a key says everything: the theoretical arrival time (TAT) of the next
conforming request. ``accepted <= burst + rate * t`` holds in every window.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

KEYS_MAX = 10_000
_ROUNDING_SECONDS = 1e-6


@dataclass(frozen=True)
class Limit:
    """A rate with a burst.

    Attributes:
        rate_per_second: Long-run rate, above 0.
        burst: Requests that may come at once, at least 1.
    """

    rate_per_second: float
    burst: int

    @property
    def interval_seconds(self) -> float:
        """Time that one request uses up."""
        return 1 / self.rate_per_second


@dataclass(frozen=True)
class Charge:
    """One limit that a request has to pass: what is counted, and how much it may."""

    subject: str
    limit: Limit


@dataclass(frozen=True)
class Decision:
    """Whether a request may pass.

    Attributes:
        retry_after_seconds: 0 if it may; else waiting so long always succeeds if
            nothing else is sent meanwhile.
        subject: The limit that refused it, or "".
    """

    retry_after_seconds: float = 0.0
    subject: str = ""

    @property
    def is_allowed(self) -> bool:
        """Whether it may pass."""
        return self.retry_after_seconds <= 0


def arrive(
    tat_seconds: float | None, now_seconds: float, limit: Limit
) -> tuple[float, float]:
    """Let one request arrive.

    Args:
        tat_seconds: Stored TAT, None for a key that is not known.
        now_seconds: On the same clock.
        limit: See `Limit`.

    Returns:
        The new TAT, and how long to wait before it would be accepted: 0 if it is
        accepted now. The new TAT is to be stored only then.
    """
    tat = now_seconds if tat_seconds is None else max(tat_seconds, now_seconds)
    next_tat = tat + limit.interval_seconds
    allowed_at = next_tat - limit.interval_seconds * limit.burst
    wait = allowed_at - now_seconds
    # Below a microsecond it is rounding: with a burst of 1 a key's first request
    # could be refused by it.
    return next_tat, wait if wait > _ROUNDING_SECONDS else 0.0


class LocalBuckets:
    """The same limits in this process alone, while Redis is away.

    Bounded: above `KEYS_MAX` keys the one used longest ago is forgotten.
    """

    def __init__(self, keys_max: int = KEYS_MAX) -> None:
        self._tats: OrderedDict[str, float] = OrderedDict()
        self._keys_max = keys_max

    def charge(self, charges: Sequence[Charge], now_seconds: float) -> Decision:
        """Charge one request to all limits, or to none of them."""
        updates: list[tuple[str, float]] = []
        for charge in charges:
            tat, wait = arrive(
                self._tats.get(charge.subject), now_seconds, charge.limit
            )
            if wait > 0:
                return Decision(wait, charge.subject)
            updates.append((charge.subject, tat))
        for subject, tat in updates:
            self._tats[subject] = tat
            self._tats.move_to_end(subject)
        while len(self._tats) > self._keys_max:
            self._tats.popitem(last=False)
        return Decision()
