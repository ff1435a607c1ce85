"""How recent a proof of who somebody is has to be for what is sensitive (MF-6)."""

from datetime import UTC, datetime, timedelta
from typing import Final

STEP_UP_FRESH: Final = timedelta(minutes=5)


def is_fresh(authenticated_at: int, now: datetime) -> bool:
    """Tell whether somebody proved who they are a short while ago.

    Args:
        authenticated_at: Seconds since 1970; 0 where nothing is known of it.
        now: With a time zone.
    """
    return now - datetime.fromtimestamp(authenticated_at, UTC) <= STEP_UP_FRESH
