"""How many requests are served at once, and who is refused first when it is too many.

A limit on what is under way refuses before queues grow (Google SRE book, chapter 21,
"Handling overload": criticality; Netflix concurrency-limits: partitions by priority).
It is fixed: a limit learnt from latency needs routes that take alike, and here a
sign-in takes a hundred times what a read takes, an upload minutes (ADR 0043).
"""

from collections import Counter

from services.gateway.domain.errors import OverloadedError
from services.gateway.domain.route import Priority

_SHARES: dict[Priority, float] = {"high": 1.0, "normal": 0.8, "low": 0.5}
_RETRY_SECONDS: dict[Priority, int] = {"high": 1, "normal": 2, "low": 5}
_SERVICE_SHARE = 0.5


class Places:
    """The places for requests under way.

    The lower its priority, the earlier a request finds none: low ones when half of the
    places are taken, normal ones at four fifths. One service takes half of them at
    most, by the same shares, so that others are served while it hangs.

    Args:
        total: Places in all.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken = 0
        self._by_service: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many requests are under way."""
        return self._taken

    def take(self, service: str, priority: Priority) -> None:
        """Take a place, which is then to be given back by `free`.

        Raises:
            OverloadedError: There is none for this priority.
        """
        share = self._total * _SHARES[priority]
        if self._taken >= share or self._by_service[service] >= share * _SERVICE_SHARE:
            raise OverloadedError(_RETRY_SECONDS[priority])
        self._taken += 1
        self._by_service[service] += 1

    def free(self, service: str) -> None:
        """Give a place back."""
        self._taken -= 1
        self._by_service[service] -= 1
