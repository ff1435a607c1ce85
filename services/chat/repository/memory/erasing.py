"""Deletes what nobody may read any more, in memory."""

from typing import Any

from libs.kernel import ConversationId, UserId
from services.chat.repository.memory.bans import MemoryBans
from services.chat.repository.memory.conversations import MemoryConversations
from services.chat.repository.memory.invites import MemoryInvites


class MemoryEraser:
    """`EraserStore` over the dictionaries of the others."""

    def __init__(
        self, store: MemoryConversations, invites: MemoryInvites, bans: MemoryBans
    ) -> None:
        self._store = store
        self._invites = invites
        self._bans = bans

    async def purge_conversation(
        self, conversation_id: ConversationId, *, limit: int
    ) -> int:
        """Delete what is left of a conversation, up to a limit of each kind."""
        return sum(
            _purge(documents, limit, conversation_id=conversation_id)
            for documents in (
                self._store.messages,
                self._invites.invites,
                self._bans.bans,
            )
        )

    async def purge_user(self, user_id: UserId, *, limit: int) -> int:
        """Delete what is a user's own, up to a limit of each kind."""
        banned = _purge(self._bans.bans, limit, user_id=user_id)
        return banned + _purge(self._invites.invites, limit, created_by=user_id)


def _purge(documents: dict[Any, Any], limit: int, **wanted: object) -> int:
    found = [
        key
        for key, document in documents.items()
        if all(getattr(document, name) == value for name, value in wanted.items())
    ]
    for key in found[:limit]:
        del documents[key]
    return len(found[:limit])
