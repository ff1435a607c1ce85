"""Compares what was delivered with what is stored, and fills what is behind."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from libs.kernel import AppError

K = TypeVar("K")
_log = structlog.get_logger()
_CHUNK = 1_000


async def fill_safely(kind: str, fill: Callable[[K], Awaitable[None]], key: K) -> bool:
    """Fill one stream; tell whether it succeeded, for one must not starve the others.

    Args:
        kind: Begins the name of the log line: live or own.
        fill: Delivers what is stored.
        key: Names the stream.
    """
    try:
        await fill(key)
    except AppError as error:
        _log.warning(f"{kind}_fill_failed", code=error.code)
    except Exception as error:  # noqa: BLE001 - one bad stream never starves the others
        _log.error(f"{kind}_fill_failed", error=type(error).__name__)
    else:
        return True
    return False


async def fill_behind(
    kind: str,
    watched: Sequence[K],
    *,
    revisions: Callable[[Sequence[K]], Awaitable[Mapping[K, int]]],
    delivered: Callable[[K], int | None],
    fill: Callable[[K], Awaitable[None]],
) -> bool:
    """Fill every stream whose stored revision is above the delivered one.

    Args:
        kind: Begins the names of log lines: live or own.
        watched: The streams.
        revisions: Reads the stored revisions of at most 1,000.
        delivered: Tells the last revision delivered; None: nobody listens any more.
        fill: Delivers what is stored.

    Returns:
        Whether every comparison and every fill succeeded.
    """
    is_complete = True
    for start in range(0, len(watched), _CHUNK):
        try:
            found = await revisions(watched[start : start + _CHUNK])
        except AppError as error:
            _log.warning(f"{kind}_poll_failed", code=error.code)
            return False
        for key, revision in found.items():
            known = delivered(key)
            if known is not None and known < revision:
                is_complete &= await fill_safely(kind, fill, key)
    return is_complete
