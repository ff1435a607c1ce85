"""Earlier versions of edited messages in memory."""

from datetime import datetime

from libs.kernel import MessageId
from services.chat.domain.message import Message, Version
from services.chat.ports import Session


class MemoryVersions:
    """`VersionRepository` in a dictionary; nothing expires."""

    def __init__(self) -> None:
        self.versions: dict[MessageId, list[Version]] = {}

    async def add(
        self,
        message: Message,
        version: Version,
        *,
        expires_at: datetime | None,
        kept: int,
        session: Session,
    ) -> None:
        """Store a version of a message, and drop what is too many."""
        del expires_at, session
        known = self.versions.setdefault(message.message_id, [])
        self.versions[message.message_id] = [*known, version][-kept:]

    async def page(
        self, message: Message, *, before: int | None, limit: int
    ) -> list[Version]:
        """Return versions of a message, the newest first."""
        known = reversed(self.versions.get(message.message_id, []))
        found = [v for v in known if before is None or v.number < before]
        return found[:limit]

    async def remove_all(self, message_id: MessageId, *, session: Session) -> None:
        """Destroy every version of a message."""
        del session
        self.versions.pop(message_id, None)
