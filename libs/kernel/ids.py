"""Identifiers: UUID version 7, as 36 lower-case characters.

Source: RFC 9562 section 5.7. Ids sort by their creation time to the millisecond,
which keeps B-tree inserts at the right edge; inside one process they are strictly
increasing (section 6.2, method 1: a counter in rand_a).
"""

import io
import os
import re
import threading
import time
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
_RANDOM_BYTES = 8
_POOL_BYTES = 512 * _RANDOM_BYTES  # asking the system for each id costs more than it
_lock = threading.Lock()
_random = io.BytesIO()
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
        random = int.from_bytes(_next_random(), "big") & 0x3FFF_FFFF_FFFF_FFFF
    value = millisecond << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | random
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


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


def _next_random() -> bytes:
    """Return random bytes that were given to nobody else."""
    global _random  # noqa: PLW0603 - one pool a process, under a lock
    found = _random.read(_RANDOM_BYTES)
    if not found:
        _random = io.BytesIO(os.urandom(_POOL_BYTES))
        found = _random.read(_RANDOM_BYTES)
    return found


def _forget_random() -> None:
    """Let a forked child draw its own: its parent gives out the same bytes."""
    global _random  # noqa: PLW0603 - as above
    _random = io.BytesIO()


os.register_at_fork(after_in_child=_forget_random)
