"""Ages and waits."""

import time


def id_age_seconds(event_id: str) -> float:
    """Return how long ago a UUIDv7 was made, by this machine's clock; at least 0."""
    try:
        milliseconds = int(event_id.replace("-", "")[:12], 16)
    except ValueError:
        return 0.0
    return max(0.0, time.time() - milliseconds / 1000)
