"""Which of many equal records are written: so many of a kind a minute."""

from collections import OrderedDict
from collections.abc import Hashable

from libs.kernel import Clock

REPEATED_SECONDS = 60.0
_KNOWN_MAX = 10_000


class Repeats:
    """Counts what is recorded, so that who repeats it fills no disk.

    Each process counts for itself.

    Args:
        clock: Measures the minute, which a kind's first record opens.
        times: How many records of a kind a minute are written.
    """

    def __init__(self, clock: Clock, *, times: int = 1) -> None:
        self._clock = clock
        self._times = times
        self._known: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def is_enough(self, kind: Hashable) -> bool:
        """Count a record of a kind; tell whether enough are written already."""
        now = self._clock.monotonic()
        begun, written = self._known.get(kind, (now, 0))
        if now - begun >= REPEATED_SECONDS:
            begun, written = now, 0
        if written >= self._times:
            return True
        self._known[kind] = (begun, written + 1)
        self._known.move_to_end(kind)
        if len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return False
