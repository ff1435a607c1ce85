"""What users show of themselves, in memory."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from libs.kernel import ConversationId, UserId
from services.chat.domain.presence import CustomStatus, LastSeen, PresenceCard
from services.chat.ports import Session
from services.chat.repository.memory.conversations import MemoryConversations


class MemoryPresenceCards:
    """`PresenceCardRepository` in a dictionary."""

    def __init__(self) -> None:
        self.cards: dict[UserId, PresenceCard] = {}

    async def get_many(self, user_ids: Sequence[UserId]) -> dict[UserId, PresenceCard]:
        """Return the cards of those who have one."""
        return {one: self.cards[one] for one in user_ids if one in self.cards}

    async def put_last_seen(self, user_id: UserId, last_seen: LastSeen) -> None:
        """Store who may learn when the user was last seen."""
        card = self._card(user_id)
        self.cards[user_id] = msgspec.structs.replace(card, last_seen=last_seen)

    async def put_status(
        self, user_id: UserId, status: CustomStatus, *, session: Session
    ) -> None:
        """Store a status in place of an earlier one."""
        del session
        self._put(user_id, status)

    async def clear_status(self, user_id: UserId, *, session: Session) -> bool:
        """Take a status away; tell whether there was one."""
        del session
        had = self._card(user_id).custom_status is not None
        self._put(user_id, None)
        return had

    async def due(self, now: datetime, *, limit: int) -> list[UserId]:
        """Return whose status has expired and is not taken away yet."""
        found = [one for one in self.cards if self._has_expired(one, now)]
        return found[:limit]

    async def expire_status(
        self, user_id: UserId, now: datetime, *, session: Session
    ) -> bool:
        """Take away a status that has expired; tell whether there was one."""
        if not self._has_expired(user_id, now):
            return False
        return await self.clear_status(user_id, session=session)

    def _has_expired(self, user_id: UserId, now: datetime) -> bool:
        status = self._card(user_id).custom_status
        return status is not None and not status.holds(now)

    def _put(self, user_id: UserId, status: CustomStatus | None) -> None:
        card = self._card(user_id)
        self.cards[user_id] = msgspec.structs.replace(card, custom_status=status)

    def _card(self, user_id: UserId) -> PresenceCard:
        return self.cards.get(user_id, PresenceCard(user_id=user_id))


class MemoryContacts:
    """`ContactRepository` over the memberships of the others."""

    def __init__(self, store: MemoryConversations) -> None:
        self._store = store
        self.questions = 0

    async def places_among(
        self,
        user_ids: Sequence[UserId],
        conversation_ids: Sequence[ConversationId],
    ) -> dict[UserId, list[ConversationId]]:
        """Return which of some conversations each user is in; count the question."""
        self.questions += 1
        places: dict[UserId, list[ConversationId]] = {}
        for (place, user_id), member in self._store.members.items():
            if user_id in user_ids and place in conversation_ids and member.is_active:
                places.setdefault(user_id, []).append(place)
        return places

    async def contacts_among(
        self, user_id: UserId, user_ids: Sequence[UserId]
    ) -> set[UserId]:
        """Return those of the users that share a conversation with a user."""
        joined = await self._store.memberships_page(user_id, before=None, limit=1_000)
        places = [member.conversation_id for member in joined]
        return set(await self.places_among(user_ids, places))
