"""Where earlier versions of edited messages are kept."""

from datetime import datetime
from typing import Protocol

from libs.kernel import MessageId
from services.chat.domain.message import Message, Version
from services.chat.ports.session import Session


class VersionRepository(Protocol):
    """What edited messages said before, opened."""

    async def add(
        self,
        message: Message,
        version: Version,
        *,
        expires_at: datetime | None,
        kept: int,
        session: Session,
    ) -> None:
        """Store a version of a message, and drop what is too many.

        Args:
            message: Of which.
            version: Its number is one above the last one's.
            expires_at: From then on it may be gone; None: it stays.
            kept: So many versions stay, this one among them; at least 1.
            session: The edit's transaction.
        """
        ...

    async def page(
        self, message: Message, *, before: int | None, limit: int
    ) -> list[Version]:
        """Return versions of a message, the newest first.

        Args:
            message: Of which.
            before: Only those with a lower number; None: all.
            limit: At least 1.
        """
        ...

    async def remove_all(self, message_id: MessageId, *, session: Session) -> None:
        """Destroy every version of a message."""
        ...
