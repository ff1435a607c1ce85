"""The trail in memory, for tests."""

from typing import Any

from libs.chassis.audit.entry import AuditEntry


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
