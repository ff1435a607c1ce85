"""Where the wrapped data keys of conversations are kept."""

from datetime import datetime
from typing import Protocol

import msgspec

from libs.crypto import WrappedKey
from libs.kernel import ConversationId


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """One wrapped data key of a conversation."""

    conversation_id: ConversationId
    key_id: str
    wrapped: WrappedKey


class KeyCount(msgspec.Struct, frozen=True, kw_only=True):
    """How much is wrapped under one key-encryption key."""

    kek_id: str
    conversations: int
    keys: int


class DataKeyStore(Protocol):
    """Wrapped data keys, and how far their re-wrapping is."""

    async def census(self) -> list[KeyCount]:
        """Count what is wrapped under which key-encryption key, by its id."""
        ...

    async def due(self, *, revisions: int, made_before: datetime) -> int:
        """Count the conversations whose current data key is due to be renewed."""
        ...

    async def page(self, kek_id: str, *, after: str, limit: int) -> list[StoredKey]:
        """Return keys that are not under a key-encryption key, by conversation.

        All such keys of up to `limit` conversations whose ids come after one.
        """
        ...

    async def replace(self, old: StoredKey, new: WrappedKey) -> bool:
        """Store a key's new wrapped form; False where it is not as it was.

        A conversation that was shredded meanwhile stays shredded.
        """
        ...

    async def cursor(self, kek_id: str) -> str:
        """Return where the re-wrapping to a key-encryption key goes on, "" at first."""
        ...

    async def save_cursor(self, kek_id: str, cursor: str) -> None:
        """Remember where to go on; "" after a whole pass."""
        ...
