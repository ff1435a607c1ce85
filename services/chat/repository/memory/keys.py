"""Wrapped data keys in memory."""

from collections import Counter
from datetime import datetime

import msgspec

from libs.crypto import WrappedKey
from services.chat.ports import KeyCount, StoredKey


class MemoryDataKeyStore:
    """`DataKeyStore` in a list, in the order of the conversations' ids."""

    def __init__(self, keys: list[StoredKey]) -> None:
        self.keys = sorted(keys, key=lambda key: key.conversation_id)
        self.cursors: dict[str, str] = {}
        self.due_conversations = 0

    async def census(self) -> list[KeyCount]:
        """Count what is wrapped under which key-encryption key, by its id."""
        keys = Counter(key.wrapped.key_id for key in self.keys)
        pairs = {(key.wrapped.key_id, key.conversation_id) for key in self.keys}
        conversations = Counter(kek_id for kek_id, _ in pairs)
        return [
            KeyCount(kek_id=kek_id, conversations=conversations[kek_id], keys=count)
            for kek_id, count in sorted(keys.items())
        ]

    async def due(self, *, revisions: int, made_before: datetime) -> int:
        """Return what the test says."""
        del revisions, made_before
        return self.due_conversations

    async def page(self, kek_id: str, *, after: str, limit: int) -> list[StoredKey]:
        """Return keys that are not under a key-encryption key, by conversation."""
        found = [
            key
            for key in self.keys
            if key.wrapped.key_id != kek_id and key.conversation_id > after
        ]
        ids = list(dict.fromkeys(key.conversation_id for key in found))[:limit]
        return [key for key in found if key.conversation_id in ids]

    async def replace(self, old: StoredKey, new: WrappedKey) -> bool:
        """Store a key's new wrapped form; False where it is not as it was."""
        if old not in self.keys:
            return False
        place = self.keys.index(old)
        self.keys[place] = msgspec.structs.replace(old, wrapped=new)
        return True

    async def cursor(self, kek_id: str) -> str:
        """Return where the re-wrapping to a key-encryption key goes on."""
        return self.cursors.get(kek_id, "")

    async def save_cursor(self, kek_id: str, cursor: str) -> None:
        """Remember where to go on."""
        self.cursors[kek_id] = cursor
