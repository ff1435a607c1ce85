"""Moments of a replica set: cluster times as they are named and written."""

import re
from datetime import UTC, datetime

from bson import Timestamp

from libs.kernel import InvalidError

_WRITTEN = re.compile(r"(\d{1,10})\.(\d{1,10})")
_LAST = 0xFFFF_FFFF
"""Greatest ordinal of a second: all of it."""


def text_of(moment: Timestamp) -> str:
    """Return ``<seconds>.<ordinal>``, which `moment_of` reads."""
    return f"{moment.time}.{moment.inc}"


def shown(moment: Timestamp) -> str:
    """Return a moment as a person reads it, with its exact form."""
    utc = datetime.fromtimestamp(moment.time, UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%SZ} ({text_of(moment)})"


def moment_of(text: str) -> Timestamp:
    """Read an exact moment, or a time (ISO 8601 with its zone), to its second's end.

    Raises:
        InvalidError: It is neither.
    """
    if match := _WRITTEN.fullmatch(text):
        return Timestamp(int(match[1]), int(match[2]))
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise InvalidError(
            "moment_unreadable",
            f"{text!r} is no time with a zone (2026-11-30T21:00:00Z) and no cluster "
            "time (1764536400.3).",
        )
    return Timestamp(int(when.timestamp()), _LAST)


def before(moment: Timestamp, seconds: int) -> Timestamp:
    """Return the moment so many seconds earlier."""
    return Timestamp(max(0, moment.time - seconds), 0)
