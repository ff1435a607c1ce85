"""Read markers: durable at once, announced at most once a second."""

import asyncio

import structlog

from libs.events import EventBus, Transaction
from libs.events.catalog.conversation import ConversationRead
from libs.kernel import AppError, Clock, ConversationId, UserId
from services.chat.domain.conversation import Conversation, Member
from services.chat.domain.errors import ConversationNotFoundError
from services.chat.domain.permissions import Action, require
from services.chat.ports import ConversationRepository

INTERVAL_SECONDS = 1.0
_log = structlog.get_logger()

Key = tuple[ConversationId, UserId]


class ReadMarkers:
    """Moves read markers forward.

    The first move in a second commits with its event. Later ones are written at
    once, and their event follows at the end of the second with the newest marker.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        clock: Measures the second.
    """

    def __init__(
        self, bus: EventBus, repository: ConversationRepository, clock: Clock
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._clock = clock
        self._announced: dict[Key, float] = {}
        self._waiting: dict[Key, int] = {}

    async def mark(
        self, user_id: UserId, conversation_id: ConversationId, seq: int
    ) -> tuple[Conversation, int]:
        """Say that a member has read up to a message.

        Args:
            user_id: The member.
            conversation_id: Where.
            seq: Clipped to the newest message; one below the marker changes
                nothing.

        Returns:
            The conversation and the marker as it is now.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.

        Emits: conversation.read, at most one a second a member and conversation.
        """
        conversation, member = await self._membership(user_id, conversation_id)
        seq = min(seq, conversation.last_seq)
        if seq <= member.read_seq:
            return conversation, member.read_seq
        key = (conversation_id, user_id)
        now = self._clock.monotonic()
        if now - self._announced.get(key, -INTERVAL_SECONDS) >= INTERVAL_SECONDS:
            self._announced[key] = now
            await self._announce(key, seq)
        else:
            self._waiting[key] = max(seq, self._waiting.get(key, 0))
            await self._repository.advance_read(conversation_id, user_id, seq)
        return conversation, seq

    async def run(self) -> None:
        """Announce what waits, every second, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Announce every marker that waits; what fails waits for the next time.

        A marker waits until it is announced: nobody is forgotten when this is
        cancelled half-way.
        """
        now = self._clock.monotonic()
        waiting = list(self._waiting.items())
        for key, seq in waiting:
            try:
                await self._announce(key, seq)
            except AppError as error:
                _log.warning("read_marker_delayed", code=error.code)
            else:
                if self._waiting.get(key) == seq:  # else it moved on meanwhile
                    del self._waiting[key]
        self._announced = {
            key: at
            for key, at in self._announced.items()
            if now - at < INTERVAL_SECONDS
        } | {key: now for key, _ in waiting}

    async def _announce(self, key: Key, seq: int) -> None:
        conversation_id, user_id = key

        async def change(transaction: Transaction) -> None:
            await self._repository.advance_read(
                conversation_id, user_id, seq, session=transaction.session
            )
            transaction.publish(
                ConversationRead(
                    conversation_id=conversation_id, user_id=user_id, read_seq=seq
                )
            )

        await self._bus.run_transaction(change)

    async def _membership(
        self, user_id: UserId, conversation_id: ConversationId
    ) -> tuple[Conversation, Member]:
        conversation = await self._repository.get(conversation_id)
        if conversation is None:
            raise ConversationNotFoundError
        member = await self._repository.get_member(conversation_id, user_id)
        require(conversation, member, Action.READ)
        if member is None:  # `require` has refused already; this tells the type
            raise ConversationNotFoundError
        return conversation, member
