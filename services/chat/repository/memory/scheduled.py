"""Scheduled messages in memory."""

from datetime import datetime, timedelta

import msgspec

from libs.kernel import UserId
from services.chat.domain.scheduled import Scheduled, ScheduledState
from services.chat.ports import DueAt, Session


class MemoryScheduled:
    """`ScheduledRepository` in dictionaries."""

    def __init__(self) -> None:
        self.scheduled: dict[str, Scheduled] = {}
        self._leases: dict[str, datetime] = {}

    async def add(self, scheduled: Scheduled) -> None:
        """Store a new one."""
        self.scheduled[scheduled.scheduled_id] = scheduled

    async def get(self, user_id: UserId, scheduled_id: str) -> Scheduled | None:
        """Return a user's, or None."""
        found = self.scheduled.get(scheduled_id)
        return found if found is not None and found.user_id == user_id else None

    async def page(
        self, user_id: UserId, *, after: DueAt | None, limit: int
    ) -> list[Scheduled]:
        """Return a user's, the next one first."""
        places = {DueAt(one.due_at, one.scheduled_id): one for one in self._of(user_id)}
        shown = [at for at in sorted(places) if after is None or at > after]
        return [places[at] for at in shown[:limit]]

    async def count(self, user_id: UserId) -> int:
        """Count a user's."""
        return len(self._of(user_id))

    async def replace(self, scheduled: Scheduled) -> bool:
        """Store a changed one that is not being sent; tell whether it was there."""
        if not self._is_idle(scheduled.scheduled_id):
            return False
        self.scheduled[scheduled.scheduled_id] = scheduled
        return True

    async def remove(self, user_id: UserId, scheduled_id: str) -> bool:
        """Forget one that is not being sent; tell whether it was there."""
        known = await self.get(user_id, scheduled_id)
        if known is None or not self._is_idle(scheduled_id):
            return False
        del self.scheduled[scheduled_id]
        return True

    async def claim(self, now: datetime, lease: timedelta) -> Scheduled | None:
        """Take one that is due, or was left in the middle, and nobody works on."""
        due = [
            one
            for one in self.scheduled.values()
            if one.state is not ScheduledState.FAILED and one.due_at <= now
            if self._leases.get(one.scheduled_id, now) <= now
        ]
        if not due:
            return None
        first = min(due, key=lambda one: one.due_at)
        claimed = msgspec.structs.replace(first, state=ScheduledState.SENDING)
        self.scheduled[first.scheduled_id] = claimed
        self._leases[first.scheduled_id] = now + lease
        return claimed

    async def settle(self, scheduled: Scheduled, *, session: Session = None) -> None:
        """Store what came of a claimed one: it failed, or waits once more."""
        del session
        self.scheduled[scheduled.scheduled_id] = scheduled
        self._leases.pop(scheduled.scheduled_id, None)

    async def forget(self, scheduled: Scheduled) -> None:
        """Forget a claimed one: it was sent."""
        self.scheduled.pop(scheduled.scheduled_id, None)

    def _is_idle(self, scheduled_id: str) -> bool:
        known = self.scheduled.get(scheduled_id)
        return known is not None and known.state is not ScheduledState.SENDING

    def _of(self, user_id: UserId) -> list[Scheduled]:
        return [one for one in self.scheduled.values() if one.user_id == user_id]
