"""How many events one shared transaction may take, and whether frames share one."""

_BUDGET_SECONDS = 0.1
_WEIGHT = 0.2
_WORTH_WAITING = 2


class Pace:
    """Sizes shared transactions so that each lasts about 100 ms.

    Fast handlers gain from a shared commit; slow ones gain more from running side by
    side, and a long transaction would hold its locks for all of them. The first frame
    is taken whole and alone; then it follows what was measured.
    """

    def __init__(self) -> None:
        self._event_seconds = 0.0

    @property
    def size(self) -> int:
        """Events to put into one transaction, at least 1."""
        if self._event_seconds * 1_000_000 < 1:
            return 1_000_000
        return max(1, int(_BUDGET_SECONDS / self._event_seconds))

    @property
    def is_known(self) -> bool:
        """Whether anything was measured; before, no frame shares with another."""
        return self._event_seconds > 0

    @property
    def is_fast(self) -> bool:
        """Whether sharing a transaction is worth waiting for."""
        return self.is_known and self.size >= _WORTH_WAITING

    def note(self, seconds: float, count: int) -> None:
        """Take in how long the handlers of so many events ran.

        Not the transaction around them, which costs the same for one event: its time
        would forbid to share just when the database is busy.
        """
        sample = seconds / count
        known = self._event_seconds
        self._event_seconds = known + _WEIGHT * (sample - known) if known else sample
