"""Waits for the database: gone, or locked by somebody else, perhaps a dead process."""

import asyncio
import time

from libs.events.errors import DatabaseAwayError, WriteConflictError
from libs.events.retrying import jittered

_SECONDS = 90.0


class Patience:
    """Tells whether to try again without counting it as the handler's failure.

    A process that is killed inside a transaction leaves its locks to the server, which
    drops them after ``transactionLifetimeLimitSeconds`` (60 s unless set lower). Until
    then the next process loses to them, which is no fault of the event. Nor is a
    database that is away: what is in hand waits here, and the prefetch bounds it.
    """

    def __init__(self) -> None:
        self._ends_at = time.monotonic() + _SECONDS
        self._waits = 0

    async def waits_for(self, error: Exception | None) -> bool:
        """Wait a moment: for a lost race up to 90 s in all, for the database always."""
        is_away = isinstance(error, DatabaseAwayError)
        is_race = isinstance(error, WriteConflictError)
        if not is_away and (not is_race or time.monotonic() > self._ends_at):
            return False
        self._waits += 1
        await asyncio.sleep(jittered(self._waits, first=0.05, most=1.0))
        return True
