"""How long senders wait: one look for all of them, not a timer each."""

import asyncio
import time
from collections import deque

from services.chat.domain.errors import SendUnconfirmedError
from services.chat.writer.pending import Pending

_LOOK_SECONDS = 0.25


class Patience:
    """Tells those who have waited too long that the outcome is unknown.

    Args:
        wait_seconds: How long that is; it may take a quarter of a second more.
    """

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._waiting: deque[Pending] = deque()

    def add(self, pending: Pending) -> None:
        """Watch a message from now on; they come in the order of `queued_at`."""
        self._waiting.append(pending)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look(time.perf_counter())

    def look(self, now: float) -> None:
        """Forget those that are settled, and settle those that are late.

        Args:
            now: As `Pending.queued_at` counts.
        """
        waiting = self._waiting
        while waiting and (
            waiting[0].future.done() or now - waiting[0].queued_at > self._wait_seconds
        ):
            waiting.popleft().fail(SendUnconfirmedError())
