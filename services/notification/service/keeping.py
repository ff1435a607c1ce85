"""Keeps what must not be forgotten until the store has taken it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import structlog

from libs.kernel import Clock, UnavailableError

log = structlog.get_logger()

Write = Callable[[], Awaitable[None]]

_FIRST_SECONDS = 0.02
_MOST_SECONDS = 1.0


async def store_each(writes: Sequence[Write], *, clock: Clock, until: float) -> None:
    """Run writes side by side, the failed ones again; one failure drops no other.

    While the store is away a write is tried for as long as that lasts: nobody else
    can claim what it settles either, and a write whose claim is lost by then changes
    nothing. After any other error it is given up at `until`.

    Args:
        writes: Idempotent; each is fenced by its claim.
        clock: Time.
        until: On the monotonic clock, the end of the lease.

    Raises:
        BaseException: What the first of those raised that were given up.
    """
    attempt = 0
    lost: list[BaseException] = []
    while writes:
        results = await asyncio.gather(
            *(write() for write in writes), return_exceptions=True
        )
        failed = [
            (write, result)
            for write, result in zip(writes, results, strict=True)
            if result is not None
        ]
        is_late = clock.monotonic() >= until
        again = [
            write
            for write, error in failed
            if not is_late or isinstance(error, UnavailableError)
        ]
        lost += [error for write, error in failed if write not in again]
        for _, error in failed:
            log.warning("outcome_not_stored", error=type(error).__name__)
        writes = again
        if writes:
            attempt += 1
            await asyncio.sleep(_pause(attempt))
    if lost:
        raise lost[0]


def _pause(attempt: int) -> float:
    bound: float = min(_FIRST_SECONDS * 2.0 ** min(attempt, 10), _MOST_SECONDS)
    return bound * random.uniform(0.5, 1)  # noqa: S311 - spreads load, no secret
