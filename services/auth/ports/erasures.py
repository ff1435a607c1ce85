"""Stores of accounts on their way out, and of what is kept of those that are gone."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from libs.kernel import UserId
from services.auth.domain.erasure import Backlog, Erasure
from services.auth.ports.database import DatabaseSession

T = TypeVar("T")


class DeletionQueue(Protocol):
    """The accounts that wait for their deletion."""

    async def due(
        self, *, at: datetime, after: str | None, limit: int
    ) -> Sequence[UserId]:
        """Return who is due at a time, in the order of ids."""
        ...

    async def oldest_due_at(self) -> datetime | None:
        """Return the earliest date of all that wait; None if nobody does."""
        ...

    async def remove(self, user_id: UserId, session: DatabaseSession) -> None:
        """Remove an account: its address is free, its profile gone."""
        ...


class ErasureRepository(Protocol):
    """Ids of deleted accounts; a handle among them is a keyed hash."""

    async def add(
        self, erasure: Erasure, handle: str | None, session: DatabaseSession
    ) -> None:
        """Store an erasure; the handle is nobody's from then on."""
        ...

    async def get(self, user_id: UserId, session: DatabaseSession) -> Erasure | None:
        """Return an erasure."""
        ...

    async def has_handle(self, handle: str, session: DatabaseSession) -> bool:
        """Tell whether somebody who is gone had a handle."""
        ...

    async def answer(
        self, user_id: UserId, service: str, at: datetime, session: DatabaseSession
    ) -> bool:
        """Note a service's first answer; False if it is not awaited (any more)."""
        ...

    async def note_told(
        self, user_id: UserId, at: datetime, session: DatabaseSession
    ) -> None:
        """Note that the services were told once more."""
        ...

    async def page(
        self, *, is_complete: bool | None, after: str | None, limit: int
    ) -> Sequence[Erasure]:
        """Return erasures in the order of user ids; None: complete or not."""
        ...

    async def backlog(self) -> Mapping[str, Backlog]:
        """Return what each service has not answered; only those that owe one."""
        ...


class Lease(Protocol):
    """Lets one process of many do a work."""

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Work while holding it.

        Raises:
            ConflictError: Another process has it, or it was lost on the way.
        """
        ...
