"""Bans in memory."""

from collections.abc import Sequence

from libs.kernel import ConversationId, UserId
from services.chat.domain.ban import Ban
from services.chat.ports import Session


class MemoryBans:
    """`BanRepository` in a dictionary."""

    def __init__(self) -> None:
        self.bans: dict[tuple[ConversationId, UserId], Ban] = {}

    async def get(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        *,
        session: Session = None,
    ) -> Ban | None:
        """Return a user's ban, or None."""
        del session
        return self.bans.get((conversation_id, user_id))

    async def put(self, ban: Ban, *, session: Session) -> None:
        """Store a ban; one that is there stays as it is."""
        del session
        self.bans.setdefault((ban.conversation_id, ban.user_id), ban)

    async def remove(
        self, conversation_id: ConversationId, user_id: UserId, *, session: Session
    ) -> bool:
        """Lift a ban; tell whether there was one."""
        del session
        return self.bans.pop((conversation_id, user_id), None) is not None

    async def page(
        self, conversation_id: ConversationId, *, after: str, limit: int
    ) -> list[Ban]:
        """Return a conversation's bans in the order of their user ids."""
        found = [ban for ban in self._of(conversation_id) if ban.user_id > after]
        return sorted(found, key=lambda ban: ban.user_id)[:limit]

    async def count(
        self, conversation_id: ConversationId, *, session: Session = None
    ) -> int:
        """Count a conversation's bans."""
        del session
        return len(self._of(conversation_id))

    async def banned_from(
        self, user_id: UserId, conversation_ids: Sequence[ConversationId]
    ) -> set[ConversationId]:
        """Return those of the conversations that the user is banned from."""
        return {one for one in conversation_ids if (one, user_id) in self.bans}

    def _of(self, conversation_id: ConversationId) -> list[Ban]:
        found = self.bans.values()
        return [ban for ban in found if ban.conversation_id == conversation_id]
