"""How many guesses the rule of LT-1 admits in a time."""

import math
import time


class GuessBudget:
    """Five at once, then one after each wait of 1, 2, 4 ... seconds.

    A burst that the machine stretches over more than a second is rightly granted a
    sixth; a test that counts to five would then blame the throttle for the machine.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def admissible(self) -> int:
        """The most that may have been admitted since it was made."""
        return 5 + int(math.log2(time.monotonic() - self._began + 1))
