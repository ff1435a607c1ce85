"""What a restore of the database has left for auth to deal with."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.auth.ports.database import DatabaseSession


@dataclass(frozen=True)
class Restore:
    """The database was made an older one than it had been.

    Attributes:
        restored_at: When; whatever is older comes from the backup.
    """

    restore_id: str
    restored_at: datetime


@dataclass(frozen=True)
class EndedByRestore:
    """How many sign-ins came back with a backup and were ended."""

    sessions: int
    personal_tokens: int


class RestoreRepository(Protocol):
    """Restores, as the command of backup notes them (ADR 0064)."""

    async def unhandled(self) -> Restore | None:
        """Return the newest restore that nobody has dealt with."""
        ...

    async def end_sign_ins(self, restore: Restore, at: datetime) -> EndedByRestore:
        """End sessions and personal tokens that came from the backup.

        What waits for a click or a second step is thrown away: links, pending
        sign-ins, challenges. Idempotent.
        """
        ...

    async def note_handled(self, restore: Restore, session: DatabaseSession) -> None:
        """Note that it, and every one before it, is dealt with."""
        ...
