"""Accounts on their way out, and what is kept of them, in memory, for tests."""
# ruff: noqa: ARG002 - the ports pass a database session, memory has none

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from libs.kernel import UserId
from services.auth.domain.erasure import Backlog, Erasure
from services.auth.ports import DatabaseSession
from services.auth.repository.memory.people import MemoryUserRepository

T = TypeVar("T")


class MemoryDeletionQueue:
    """Looks at the users in memory."""

    def __init__(self, users: MemoryUserRepository) -> None:
        self._users = users

    async def due(
        self, *, at: datetime, after: str | None, limit: int
    ) -> Sequence[UserId]:
        """Return who is due at a time, in the order of ids."""
        found = [
            user.user_id
            for user in self._users.everyone()
            if user.is_due(at) and user.user_id > (after or "")
        ]
        return found[:limit]

    async def oldest_due_at(self) -> datetime | None:
        """Return the earliest date of all that wait; None if nobody does."""
        dates = (user.deletion_due_at for user in self._users.everyone())
        return min((date for date in dates if date is not None), default=None)

    async def remove(self, user_id: UserId, session: DatabaseSession) -> None:
        """Remove an account; see `DeletionQueue.remove`."""
        self._users.drop(user_id)


class MemoryErasureRepository:
    """Erasures in a dictionary."""

    def __init__(self) -> None:
        self._erasures: dict[str, Erasure] = {}
        self._handles: set[str] = set()

    async def add(
        self, erasure: Erasure, handle: str | None, session: DatabaseSession
    ) -> None:
        """Store an erasure; the handle is nobody's from then on."""
        self._erasures[erasure.user_id] = erasure
        if handle is not None:
            self._handles.add(handle)

    async def get(self, user_id: UserId, session: DatabaseSession) -> Erasure | None:
        """Return an erasure."""
        return self._erasures.get(user_id)

    async def has_handle(self, handle: str, session: DatabaseSession) -> bool:
        """Tell whether somebody who is gone had a handle."""
        return handle in self._handles

    async def answer(
        self, user_id: UserId, service: str, at: datetime, session: DatabaseSession
    ) -> bool:
        """Note a service's first answer; False if it is not awaited (any more)."""
        found = self._erasures.get(user_id)
        if found is None or service not in found.missing:
            return False
        answers = {**found.answers, service: at}
        self._erasures[user_id] = replace(found, answers=answers)
        return True

    async def note_told(
        self, user_id: UserId, at: datetime, session: DatabaseSession
    ) -> None:
        """Note that the services were told once more."""
        self._erasures[user_id] = replace(self._erasures[user_id], told_at=at)

    async def page(
        self, *, is_complete: bool | None, after: str | None, limit: int
    ) -> Sequence[Erasure]:
        """Return erasures in the order of user ids; None: complete or not."""
        found = [
            self._erasures[user_id]
            for user_id in sorted(self._erasures)
            if user_id > (after or "")
        ]
        wanted = [one for one in found if is_complete in (None, len(one.missing) == 0)]
        return wanted[:limit]

    async def backlog(self) -> Mapping[str, Backlog]:
        """Return what each service has not answered; only those that owe one."""
        owed: dict[str, list[datetime]] = {}
        for one in self._erasures.values():
            for service in one.missing:
                owed.setdefault(service, []).append(one.erased_at)
        return {name: Backlog(len(dates), min(dates)) for name, dates in owed.items()}


class MemoryLease:
    """A lease where nothing runs beside."""

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Work."""
        return await work()
