"""Rate limits: the generic cell rate algorithm (ITU-T I.371), and a local form of it.

One number a key says everything: the theoretical arrival time (TAT) of the next
conforming request. ``accepted <= burst + rate * t`` holds in every window.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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

    def part(self, count: int) -> "Limit":
        """Return what each of so many allows alone, for all to allow as much as this.

        One at once at least: more than its part where the burst is less than `count`.
        """
        return Limit(self.rate_per_second / count, max(1, self.burst // count))


class Charge(NamedTuple):
    """One limit that a request has to pass.

    Attributes:
        subject: What is counted.
        limit: How much it may.
        cost: What the request weighs: so many plain ones; at most the burst counts,
            or it would never pass.
    """

    subject: str
    limit: Limit
    cost: int = 1

    @property
    def weight_seconds(self) -> float:
        """Time that this request uses up."""
        return self.limit.interval_seconds * min(self.cost, self.limit.burst)


class Decision(NamedTuple):
    """Whether a request may pass.

    Attributes:
        retry_after_seconds: 0 if it may; else waiting so long always succeeds if
            nothing else is sent meanwhile.
        subject: The limit that refused it, or "".
        tightest: Of those charged, the limit with the least left; the refusing one of
            a refusal. None where nothing was charged.
        remaining: Plain requests that it still takes at once.
        reset_seconds: Until it would take its whole burst again.
    """

    retry_after_seconds: float = 0.0
    subject: str = ""
    tightest: Charge | None = None
    remaining: int = 0
    reset_seconds: float = 0.0

    @property
    def is_allowed(self) -> bool:
        """Whether it may pass."""
        return self.retry_after_seconds <= 0


def arrive(
    tat_seconds: float | None, now_seconds: float, limit: Limit, cost: int = 1
) -> tuple[float, float]:
    """Let one request arrive.

    Args:
        tat_seconds: Stored TAT, None for a key that is not known.
        now_seconds: On the same clock.
        limit: See `Limit`.
        cost: See `Charge`.

    Returns:
        The new TAT, and how long to wait before it would be accepted: 0 if it is
        accepted now. The new TAT is to be stored only then.
    """
    tat = now_seconds if tat_seconds is None else max(tat_seconds, now_seconds)
    next_tat = tat + limit.interval_seconds * min(cost, limit.burst)
    allowed_at = next_tat - limit.interval_seconds * limit.burst
    wait = allowed_at - now_seconds
    # Below a microsecond it is rounding: with a burst of 1 a key's first request
    # could be refused by it.
    return next_tat, wait if wait > _ROUNDING_SECONDS else 0.0


def settle(charges: Sequence[Charge], ahead_seconds: Sequence[float]) -> Decision:
    """Return the decision on a request that was charged.

    Args:
        charges: All of them.
        ahead_seconds: How far the TAT of each lies ahead of now.
    """
    if not charges:
        return Decision()
    left = [
        charge.limit.burst - ahead / charge.limit.interval_seconds
        for charge, ahead in zip(charges, ahead_seconds, strict=True)
    ]
    index = 0
    if len(left) > 1:
        # By share of the burst: of a wide and a narrow one, the narrow ends first.
        index = min(range(len(left)), key=lambda n: left[n] / charges[n].limit.burst)
    return Decision(
        tightest=charges[index],
        remaining=max(0, int(left[index] + _ROUNDING_SECONDS)),
        reset_seconds=max(0.0, ahead_seconds[index]),
    )


def refuse(charge: Charge, wait_seconds: float) -> Decision:
    """Return the decision on a request that a limit has no room for."""
    limit = charge.limit
    ahead = wait_seconds + limit.interval_seconds * limit.burst - charge.weight_seconds
    remaining = max(0, int(limit.burst - ahead / limit.interval_seconds))
    return Decision(wait_seconds, charge.subject, charge, remaining, ahead)


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
                self._tats.get(charge.subject), now_seconds, charge.limit, charge.cost
            )
            if wait > 0:
                return refuse(charge, wait)
            updates.append((charge.subject, tat))
        for subject, tat in updates:
            self._tats[subject] = tat
            self._tats.move_to_end(subject)
        while len(self._tats) > self._keys_max:
            self._tats.popitem(last=False)
        return settle(charges, [tat - now_seconds for _, tat in updates])
