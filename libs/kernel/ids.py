"""Identifiers: UUID version 7, as 36 lower-case characters.

Source: RFC 9562 section 5.7. Ids sort by their creation time to the millisecond,
which keeps B-tree inserts at the right edge; inside one process they are strictly
increasing (section 6.2, method 1: a counter in rand_a).
"""

import os
import re
import threading
import time
from functools import lru_cache
from typing import NewType

UserId = NewType("UserId", str)
SessionId = NewType("SessionId", str)
ProjectId = NewType("ProjectId", str)
ConversationId = NewType("ConversationId", str)
MessageId = NewType("MessageId", str)
DocumentId = NewType("DocumentId", str)
EventId = NewType("EventId", str)

_ID_PATTERN = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)
_COUNTER_MAX = 0xFFF
_RANDOM_DIGITS = 16
_POOL = 512
_VARIANTS = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
_lock = threading.Lock()
_random: list[str] = []  # each is used once
_last_millisecond = 0
_counter = 0


def new_id() -> str:
    """Return a new UUIDv7, greater than any that this process made before.

    Returns:
        Canonical text form, 36 characters, for example
        ``0193a5c4-7f1e-7abc-8def-0123456789ab``.
    """
    with _lock:
        millisecond, counter = _next_tick()
        if not _random:
            _draw_random()
        random = _random.pop()
    start = _text_of(millisecond)
    variant = _VARIANTS[random[0]]
    return f"{start}-7{counter:03x}-{variant}{random[1:4]}-{random[4:]}"


def is_id(text: str) -> bool:
    """Tell whether a text is an RFC 9562 UUID in canonical lower-case form."""
    return _ID_PATTERN.fullmatch(text) is not None


def _next_tick() -> tuple[int, int]:
    """Advance the process's (millisecond, counter) pair; it never goes back.

    A clock that was set back, or more than 4,096 ids in one millisecond, borrows
    from the future: the pair keeps rising.
    """
    global _last_millisecond, _counter  # noqa: PLW0603 - one counter a process, under the caller's lock
    now = time.time_ns() // 1_000_000
    if now > _last_millisecond:
        _last_millisecond, _counter = now, 0
    elif _counter < _COUNTER_MAX:
        _counter += 1
    else:
        _last_millisecond, _counter = _last_millisecond + 1, 0
    return _last_millisecond, _counter


def _draw_random() -> None:
    """Fill the pool: asking the system for each id costs more than the id."""
    digits = os.urandom(_POOL * _RANDOM_DIGITS // 2).hex()
    starts = range(0, len(digits), _RANDOM_DIGITS)
    _random.extend(digits[start : start + _RANDOM_DIGITS] for start in starts)


@lru_cache(maxsize=2)
def _text_of(millisecond: int) -> str:
    digits = f"{millisecond:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _begin_child() -> None:
    """Let a forked child draw its own: its parent gives out what is in the pool."""
    _random.clear()
    _lock.release()


# A fork waits for other threads: a lock that one of them held would stay shut for ever.
os.register_at_fork(
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_begin_child
)
