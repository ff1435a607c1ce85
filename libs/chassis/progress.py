"""Tells whoever runs a command how far it is."""

import json
import sys
from collections.abc import Mapping

from libs.kernel import Clock

_PAUSE_SECONDS = 1.0


class Progress:
    """Lines on stderr, at most one a second for the same work.

    Args:
        clock: Measures the pause.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[str, float] = {}

    def __call__(self, work: str, done: int, total: int) -> None:
        """Tell how much of a work is done."""
        now = self._clock.monotonic()
        is_last = done >= total
        if not is_last and now - self._told.get(work, -_PAUSE_SECONDS) < _PAUSE_SECONDS:
            return
        self._told[work] = now
        print(f"{work}: {done} of {total}", file=sys.stderr)  # noqa: T201 - a command line


def show(summary: Mapping[str, object]) -> None:
    """Write a command's result as one line of JSON on stdout."""
    print(json.dumps(summary, default=str))  # noqa: T201 - a command line
