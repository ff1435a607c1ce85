"""Pauses between tries."""

import random


def jittered(attempt: int, *, first: float, most: float) -> float:
    """Return a pause in seconds: doubled with each attempt, a random half of it.

    Args:
        attempt: From 1.
        first: Upper bound of the first pause.
        most: Upper bound of any pause.
    """
    bound = min(most, first * 2.0 ** min(attempt - 1, 30))
    return bound * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, no secret
