"""Messages that are sent at a time: scheduling, and sending what is due."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from libs.events import EventBus, Transaction
from libs.events.catalog.message import MessageScheduleFailed
from libs.kernel import (
    AppError,
    Clock,
    RateLimitedError,
    UnavailableError,
    UserId,
    new_id,
)
from services.chat.domain.errors import (
    DraftInvalidError,
    ScheduledIsSendingError,
    ScheduledNotFoundError,
)
from services.chat.domain.limits import Limits
from services.chat.domain.message import Draft, check_draft
from services.chat.domain.permissions import Action
from services.chat.domain.scheduled import Scheduled, ScheduledState, check_due
from services.chat.ports import ConversationRepository, DueAt, ScheduledRepository
from services.chat.service.access import require_access
from services.chat.service.messages import Messages

LEASE = timedelta(seconds=60)
"""Longer than the writer lets anybody wait, so that nobody sends what is under way."""

_AGAIN = timedelta(seconds=5)
_PAUSE_SECONDS = 1.0
_log = structlog.get_logger()


class Scheduling:
    """Use cases on scheduled messages.

    Args:
        conversations: Conversations and members.
        scheduled: Where they wait.
        clock: Tells what is past.
        limits: See `Limits`.
    """

    def __init__(
        self,
        conversations: ConversationRepository,
        scheduled: ScheduledRepository,
        *,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._conversations = conversations
        self._scheduled = scheduled
        self._clock = clock
        self._limits = limits

    async def schedule(self, draft: Draft, due_at: datetime) -> Scheduled:
        """Let a message be sent later; what it may refer to is checked then.

        Args:
            draft: Its client_message_id is made here.
            due_at: UTC.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            NotPermittedError: The user may not send there now.
            DraftInvalidError: It can never be stored, ``due_invalid`` or
                ``too_many_scheduled``.
        """
        scheduled_id = new_id()
        draft = msgspec.structs.replace(draft, client_message_id=scheduled_id)
        await self._check(draft, due_at)
        if await self._scheduled.count(draft.sender_id) >= self._limits.scheduled:
            raise DraftInvalidError(
                "too_many_scheduled",
                f"At most {self._limits.scheduled} messages wait for their time.",
                limit=self._limits.scheduled,
            )
        scheduled = Scheduled(scheduled_id=scheduled_id, draft=draft, due_at=due_at)
        await self._scheduled.add(scheduled)
        return scheduled

    async def page(
        self, user_id: UserId, *, after: DueAt | None, limit: int
    ) -> tuple[Sequence[Scheduled], DueAt | None]:
        """Return what a user has scheduled, the next first, and where to go on.

        Those that failed are among them, each with its code.
        """
        found = await self._scheduled.page(user_id, after=after, limit=limit + 1)
        shown = found[:limit]
        if len(found) <= limit:
            return shown, None
        return shown, DueAt(shown[-1].due_at, shown[-1].scheduled_id)

    async def change(
        self,
        user_id: UserId,
        scheduled_id: str,
        *,
        text: str | None = None,
        due_at: datetime | None = None,
    ) -> Scheduled:
        """Say something else, or at another time; one that failed waits again.

        Raises:
            ScheduledNotFoundError: The user has none such; perhaps it was sent.
            ScheduledIsSendingError: It is being sent.
            AppError: See `schedule`.
        """
        known = await self._own(user_id, scheduled_id)
        draft = known.draft
        if text is not None:
            draft = msgspec.structs.replace(draft, text=text)
        changed = Scheduled(
            scheduled_id=scheduled_id, draft=draft, due_at=due_at or known.due_at
        )
        await self._check(draft, changed.due_at)
        if not await self._scheduled.replace(changed):
            raise ScheduledIsSendingError
        return changed

    async def cancel(self, user_id: UserId, scheduled_id: str) -> None:
        """Never send it.

        Raises:
            ScheduledNotFoundError: The user has none such; perhaps it was sent.
            ScheduledIsSendingError: It is being sent.
        """
        await self._own(user_id, scheduled_id)
        if not await self._scheduled.remove(user_id, scheduled_id):
            raise ScheduledIsSendingError

    async def _own(self, user_id: UserId, scheduled_id: str) -> Scheduled:
        known = await self._scheduled.get(user_id, scheduled_id)
        if known is None:
            raise ScheduledNotFoundError
        if known.state is ScheduledState.SENDING:
            raise ScheduledIsSendingError
        return known

    async def _check(self, draft: Draft, due_at: datetime) -> None:
        check_draft(draft)
        check_due(due_at, self._clock.now(), self._limits)
        await require_access(
            self._conversations, draft.sender_id, draft.conversation_id, Action.SEND
        )


class ScheduledSender:
    """Sends what is due, once, whichever process does it.

    The message's client_message_id is the scheduled id, so one that was sent by a
    process that died before it could say so is found, not sent again.

    Args:
        bus: Opens the transaction of a failure.
        scheduled: Where they wait.
        messages: Sends them, with their senders' rights of that moment.
        clock: Tells what is due.
    """

    def __init__(
        self,
        bus: EventBus,
        scheduled: ScheduledRepository,
        messages: Messages,
        *,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._scheduled = scheduled
        self._messages = messages
        self._clock = clock

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        while True:
            if not await self.send_one_safely():
                await asyncio.sleep(_PAUSE_SECONDS)

    async def send_one_safely(self) -> bool:
        """Send one that is due; a database that is away is waited for."""
        try:
            return await self.send_one()
        except AppError as error:
            _log.warning("scheduled_sending_delayed", code=error.code)
            return False

    async def send_one(self) -> bool:
        """Send the one that is due longest; tell whether there was one.

        Emits: message.sent, or message.schedule_failed.
        """
        scheduled = await self._scheduled.claim(self._clock.now(), LEASE)
        if scheduled is None:
            return False
        try:
            await self._messages.send(scheduled.draft)
        except (UnavailableError, RateLimitedError) as error:
            await self._try_again(scheduled, error)
        except AppError as error:
            await self._fail(scheduled, error)
        else:
            await self._scheduled.forget(scheduled)
        return True

    async def _try_again(self, scheduled: Scheduled, error: AppError) -> None:
        waits = msgspec.structs.replace(
            scheduled, state=ScheduledState.WAITING, due_at=self._clock.now() + _AGAIN
        )
        await self._scheduled.settle(waits)
        _log.info("scheduled_put_off", code=error.code)

    async def _fail(self, scheduled: Scheduled, error: AppError) -> None:
        """Keep it with its code, and tell the user."""
        failed = msgspec.structs.replace(
            scheduled, state=ScheduledState.FAILED, code=error.code
        )
        event = MessageScheduleFailed(
            user_id=scheduled.user_id,
            scheduled_id=scheduled.scheduled_id,
            conversation_id=scheduled.draft.conversation_id,
            code=error.code,
        )

        async def change(transaction: Transaction) -> None:
            await self._scheduled.settle(failed, session=transaction.session)
            transaction.publish(event)

        await self._bus.run_transaction(change)
        _log.info("scheduled_failed", code=error.code)
