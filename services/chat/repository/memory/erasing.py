"""Deletes what nobody may read any more, in memory."""

from collections.abc import Sequence
from typing import Any

from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.message import MessageKind
from services.chat.ports import Session
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
                self._store.stubs,
                self._invites.invites,
                self._bans.bans,
            )
        )

    async def place_after(self, user_id: UserId, after: str) -> ConversationId | None:
        """Return the next conversation, by id, that a user ever was in, or None."""
        found = [
            place
            for place, member_id in self._store.members
            if member_id == user_id and place > after
        ]
        return min(found, default=None)

    async def sent_by(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        *,
        limit: int,
        session: Session,
    ) -> list[MessageId]:
        """Return messages of a user that are no tombstones, in no order."""
        del session
        found = [
            message.message_id
            for message in self._store.messages.values()
            if (message.conversation_id, message.sender_id)
            == (conversation_id, user_id)
            and not message.is_deleted
            and message.kind is not MessageKind.SYSTEM
        ]
        return found[:limit]

    async def forget_versions(
        self, message_ids: Sequence[MessageId], *, session: Session
    ) -> None:
        """Nothing is kept of earlier versions here."""
        del message_ids, session

    async def purge_stubs(
        self, user_id: UserId, conversation_id: ConversationId, *, limit: int
    ) -> int:
        """Delete stubs of what a user sent to a conversation, up to a limit."""
        sent = {"sender_id": user_id, "conversation_id": conversation_id}
        return _purge(self._store.stubs, limit, **sent)

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
