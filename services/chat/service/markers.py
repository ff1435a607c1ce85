"""Read markers: durable at once, announced at most once a second."""

import asyncio

import structlog

from libs.events import EventBus, Transaction
from libs.events.catalog.conversation import ConversationRead
from libs.kernel import AppError, Clock, ConversationId, UserId
from services.chat.domain.conversation import Conversation
from services.chat.domain.errors import MarkerUnmovedError
from services.chat.ports import ConversationRepository, PersonalRepository
from services.chat.service.access import require_access

INTERVAL_SECONDS = 1.0
_log = structlog.get_logger()

Key = tuple[ConversationId, UserId]


class ReadMarkers:
    """Moves read markers forward; each move is a change of the user's own stream.

    The first move in a second commits with its event. Later ones commit without,
    and their event follows at the end of the second with the newest marker.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        personal: Where markers move.
        clock: Measures the second.
    """

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        personal: PersonalRepository,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._personal = personal
        self._clock = clock
        self._announced: dict[Key, float] = {}
        self._waiting: dict[Key, ConversationRead] = {}

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
        conversation, member = await require_access(
            self._repository, user_id, conversation_id
        )
        seq = min(seq, conversation.last_seq)
        if seq <= member.read_seq:
            return conversation, member.read_seq
        key = (conversation_id, user_id)
        now = self._clock.monotonic()
        is_first = now - self._announced.get(key, -INTERVAL_SECONDS) >= INTERVAL_SECONDS
        if is_first:
            self._announced[key] = now
        try:
            moved = await self._move(conversation, key, seq, is_announced=is_first)
        except MarkerUnmovedError:  # another device was faster
            return conversation, seq
        if not is_first:
            self._wait(key, moved)
        return conversation, seq

    async def run(self) -> None:
        """Announce what waits, every second, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Announce every marker that waits, in one commit; failed, all wait on.

        A marker waits until it is announced: nobody is forgotten when this is
        cancelled half-way.
        """
        now = self._clock.monotonic()
        waiting = dict(self._waiting)
        if waiting:
            try:
                await self._announce(list(waiting.values()))
            except AppError as error:
                _log.warning("read_marker_delayed", code=error.code)
            else:
                for key, event in waiting.items():
                    if self._waiting.get(key) is event:  # else it moved on meanwhile
                        del self._waiting[key]
        self._announced = {
            key: at
            for key, at in self._announced.items()
            if now - at < INTERVAL_SECONDS
        } | dict.fromkeys(waiting, now)

    def _wait(self, key: Key, moved: ConversationRead) -> None:
        known = self._waiting.get(key)
        if known is None or known.user_revision < moved.user_revision:
            self._waiting[key] = moved

    async def _move(
        self, conversation: Conversation, key: Key, seq: int, *, is_announced: bool
    ) -> ConversationRead:
        conversation_id, user_id = key

        async def change(transaction: Transaction) -> ConversationRead:
            revision = await self._personal.mark_read(
                conversation_id, user_id, seq, session=transaction.session
            )
            moved = ConversationRead(
                conversation_id=conversation_id,
                user_id=user_id,
                read_seq=seq,
                user_revision=revision,
                has_receipts=conversation.has_receipts,
            )
            if is_announced:
                transaction.publish(moved)
            return moved

        return await self._bus.run_transaction(change)

    async def _announce(self, waiting: list[ConversationRead]) -> None:
        async def change(transaction: Transaction) -> None:
            for event in waiting:
                transaction.publish(event)

        await self._bus.run_transaction(change)
