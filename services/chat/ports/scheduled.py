"""Where messages wait for their time."""

from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from libs.kernel import UserId
from services.chat.domain.scheduled import Scheduled
from services.chat.ports.session import Session


class DueAt(NamedTuple):
    """A place in a user's list of scheduled messages."""

    due_at: datetime
    scheduled_id: str


class ScheduledRepository(Protocol):
    """Scheduled messages, opened."""

    async def add(self, scheduled: Scheduled) -> None:
        """Store a new one."""
        ...

    async def get(self, user_id: UserId, scheduled_id: str) -> Scheduled | None:
        """Return a user's, or None."""
        ...

    async def page(
        self, user_id: UserId, *, after: DueAt | None, limit: int
    ) -> list[Scheduled]:
        """Return a user's, the next one first, those that failed among them."""
        ...

    async def count(self, user_id: UserId) -> int:
        """Count a user's."""
        ...

    async def replace(self, scheduled: Scheduled) -> bool:
        """Store a changed one that is not being sent; tell whether it was there."""
        ...

    async def remove(self, user_id: UserId, scheduled_id: str) -> bool:
        """Forget one that is not being sent; tell whether it was there."""
        ...

    async def claim(self, now: datetime, lease: timedelta) -> Scheduled | None:
        """Take one that is due, or was left in the middle, and nobody works on.

        Args:
            now: UTC.
            lease: After it another process takes it over, unless it is settled.
        """
        ...

    async def settle(self, scheduled: Scheduled, *, session: Session = None) -> None:
        """Store what came of a claimed one: it failed, or waits once more."""
        ...

    async def forget(self, scheduled: Scheduled) -> None:
        """Forget a claimed one: it was sent."""
        ...
