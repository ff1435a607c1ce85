"""Trail and chain in memory, for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from libs.chassis.audit.chain import ChainLink, PendingRecord
from libs.chassis.audit.entry import AuditEntry
from libs.chassis.audit.errors import ChainMovedError
from libs.chassis.audit.reading import AuditRecord


class MemoryAuditTrail:
    """Keeps entries in a list."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    async def record(self, entry: AuditEntry, session: Any) -> None:  # noqa: ANN401, ARG002 - see the port
        """Keep an entry; see `AuditTrail.record`."""
        self.entries.append(entry)

    def of(self, action: str) -> list[AuditEntry]:
        """Return the entries of one action, the oldest first."""
        return [entry for entry in self.entries if entry.action == action]

    async def about(
        self, user_id: str, *, before: str | None, limit: int
    ) -> Sequence[AuditRecord]:
        """Return what a user did and suffered; see `AuditReader.about`.

        The records have no times of their own: all are of the epoch.
        """
        epoch = datetime.fromtimestamp(0, UTC)
        found = [
            AuditRecord(_record_id(number), epoch, entry)
            for number, entry in enumerate(self.entries)
            if user_id in (entry.actor_id, entry.target_id)
        ]
        older = [one for one in found if before is None or one.record_id < before]
        return older[: -limit - 1 : -1]


class MemoryChainStore:
    """Implements `ChainStore`.

    Attributes:
        waiting: Records without a number, by id; a test adds to it.
        links: The chain, by number.
    """

    def __init__(self) -> None:
        self.waiting: dict[str, PendingRecord] = {}
        self.links: dict[int, ChainLink] = {}

    async def pending(self, limit: int) -> list[PendingRecord]:
        """Return records without a number; see `ChainStore.pending`."""
        return [self.waiting[record_id] for record_id in sorted(self.waiting)][:limit]

    async def head(self) -> ChainLink | None:
        """Return the last link; see `ChainStore.head`."""
        return self.links[max(self.links)] if self.links else None

    async def link(self, seq: int) -> ChainLink | None:
        """Return the link of a number; see `ChainStore.link`."""
        return self.links.get(seq)

    async def append(self, links: list[ChainLink]) -> None:
        """Add links; see `ChainStore.append`."""
        for link in links:
            if link.seq in self.links or link.record_id not in self.waiting:
                raise ChainMovedError
        for link in links:
            self.links[link.seq] = link
            del self.waiting[link.record_id]


def _record_id(number: int) -> str:
    """Return an id as the database makes them, in the order of the numbers."""
    return f"00000000-0000-7000-8000-{number:012d}"
