"""Custom statuses: said, taken back, and gone by themselves."""

import asyncio
from datetime import datetime

import structlog

from libs.events import EventBus, Transaction
from libs.events.catalog.presence import StatusChanged
from libs.kernel import AppError, Clock, EventId, UserId, new_id
from services.chat.domain.presence import (
    CustomStatus,
    checked_status,
    status_words,
)
from services.chat.ports import PresenceCardRepository, TransportSealer

_PAUSE_SECONDS = 1.0
_EXPIRED_MAX = 100
_log = structlog.get_logger()


class CustomStatuses:
    """Use cases on custom statuses; each change is announced in its own commit.

    Args:
        bus: Opens transactions.
        cards: Where statuses are kept.
        sealer: Seals the words in events.
        clock: Decides what has expired.
    """

    def __init__(
        self,
        bus: EventBus,
        cards: PresenceCardRepository,
        sealer: TransportSealer,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._cards = cards
        self._sealer = sealer
        self._clock = clock

    async def set(
        self,
        user_id: UserId,
        *,
        emoji: str | None,
        text: str,
        expires_at: datetime | None,
    ) -> CustomStatus:
        """Say something of oneself, in place of what was said before.

        Raises:
            DraftInvalidError: See `checked_status`.

        Emits: status.changed.
        """
        status = checked_status(emoji, text, expires_at, self._clock.now())

        async def change(transaction: Transaction) -> None:
            await self._cards.put_status(user_id, status, session=transaction.session)
            self._announce(transaction, user_id, status)

        await self._bus.run_transaction(change)
        return status

    async def clear(self, user_id: UserId) -> None:
        """Take it back; where nothing is said, nothing changes.

        Emits: status.changed.
        """

        async def change(transaction: Transaction) -> None:
            session = transaction.session
            if await self._cards.clear_status(user_id, session=session):
                self._announce(transaction, user_id, None)

        await self._bus.run_transaction(change)

    async def run(self) -> None:
        """Take away what has expired, until cancelled."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                await self.expire()
            except AppError as error:
                _log.warning("statuses_not_expired", code=error.code)

    async def expire(self) -> int:
        """Take away what has expired; return of how many users.

        Of several processes one commits, and announces it.

        Emits: status.changed.
        """
        now, expired = self._clock.now(), 0
        for user_id in await self._cards.due(now, limit=_EXPIRED_MAX):
            expired += await self._expire(user_id, now)
        return expired

    async def _expire(self, user_id: UserId, now: datetime) -> bool:
        async def change(transaction: Transaction) -> bool:
            session = transaction.session
            if not await self._cards.expire_status(user_id, now, session=session):
                return False
            self._announce(transaction, user_id, None)
            return True

        return await self._bus.run_transaction(change)

    def _announce(
        self, transaction: Transaction, user_id: UserId, status: CustomStatus | None
    ) -> None:
        event_id, content = EventId(new_id()), None
        if status is not None:
            context = (event_id, StatusChanged.event_type, "content", user_id)
            content = self._sealer.seal(status_words(status), *context)
        event = StatusChanged(
            user_id=user_id,
            content=content,
            expires_at=None if status is None else status.expires_at,
            changed_at=self._clock.now(),
        )
        transaction.publish(event, event_id=event_id)
