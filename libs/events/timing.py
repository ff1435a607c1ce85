"""Ages and waits."""

import time
from datetime import timedelta


def id_age_seconds(event_id: str) -> float:
    """Return how long ago a UUIDv7 was made, by this machine's clock; at least 0."""
    try:
        milliseconds = int(event_id.replace("-", "")[:12], 16)
    except ValueError:
        return 0.0
    return max(0.0, time.time() - milliseconds / 1000)


def smallest_id(age: timedelta) -> str:
    """Return an id below every UUIDv7 that was made since so long ago."""
    milliseconds = int((time.time() - age.total_seconds()) * 1000)
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}"
