"""Commits a batch and settles everybody in it, whatever one item does."""

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog

from libs.events import EventBus, WriteConflictError
from libs.events.tracing import Cause, caused_by
from libs.kernel import Clock, UnavailableError
from services.chat.domain.errors import (
    ConversationBusyError,
    DuplicateMessageError,
    SendUnconfirmedError,
    StaleConversationError,
)
from services.chat.domain.message import Message
from services.chat.domain.thread import Follow
from services.chat.domain.thread_events import followed_event
from services.chat.ports import TransportSealer, WriterStore
from services.chat.writer.metrics import note_commit, stage
from services.chat.writer.pending import Pending
from services.chat.writer.plan import (
    Plan,
    apply_plan,
    plan_batch,
    refused_members,
)
from services.chat.writer.states import StateCache

TRIES_MAX = 6
CONFLICTS_MAX = 200
_WHOLE_TRIES = 2
_PAUSE_SECONDS = 0.2
_TURN_SECONDS = 0.008
_CONTENDED_SECONDS = 1.0
_log = structlog.get_logger()

Batch = Sequence[Pending]


class BatchCommitter:
    """One lane's commits; not to be used by two tasks at the same time.

    Args:
        bus: Opens the transactions whose events leave with the messages.
        store: Where messages are appended.
        states: The lane's memory of conversations.
        sealer: Seals the content of events.
        clock: Gives ``sent_at``.
        on_stored: Told of a commit's messages in the next turn of the loop, behind
            those who sent them.

    Attributes:
        contended_until: Monotonic seconds; until then other processes are given
            a turn between two commits.
    """

    def __init__(
        self,
        bus: EventBus,
        store: WriterStore,
        states: StateCache,
        *,
        sealer: TransportSealer,
        clock: Clock,
        on_stored: Callable[[Sequence[Message]], None],
    ) -> None:
        self._on_stored = on_stored
        self._bus = bus
        self._store = store
        self._states = states
        self._sealer = sealer
        self._clock = clock
        self.contended_until = 0.0

    async def commit(self, batch: Batch) -> None:
        """Settle every item: stored, refused, or failed; raises nothing of theirs.

        On a conflict or duplicate the batch is split and tried again, earlier
        items first, so that the order of arrival holds in each conversation.
        """
        open_batches: list[Batch] = [batch]
        while open_batches:
            current = open_batches.pop()
            if current:
                open_batches.extend(reversed(await self._attempt(current)))
        if self._clock.monotonic() < self.contended_until:
            await asyncio.sleep(random.uniform(0, _TURN_SECONDS))  # noqa: S311 - jitter

    async def _attempt(self, batch: Batch) -> list[Batch]:
        """Try once; return what is left to try, in order."""
        for pending in batch:
            pending.tries += 1
        try:
            return await self._tried(batch)
        except UnavailableError:  # not the commit: the look-up of what is stored
            return _failed(batch, SendUnconfirmedError())
        except Exception as error:  # noqa: BLE001 - the lane's edge: one bad item never ends the lane or its neighbours
            return self._after_unexpected(batch, error)

    async def _tried(self, batch: Batch) -> list[Batch]:
        try:
            await self._write(batch)
        except DuplicateMessageError:
            return await self._after_duplicate(batch)
        except (StaleConversationError, WriteConflictError):
            return await self._after_conflict(batch)
        except UnavailableError as error:
            return await self._after_unavailable(batch, error)
        return []

    async def _write(self, batch: Batch) -> None:
        now = self._clock.now()
        states = await self._states.load(batch, now)
        if refused := refused_members(batch, states, now):
            await self._settle_stored(refused)  # it answers a resend, at any time
        with stage("plan"):
            plan = plan_batch(batch, states, self._sealer, now)
        if not plan.writes:
            return
        await self._store.renew_keys(plan.appends, now)
        with stage("commit"):
            await self._store_plan(plan)
        apply_plan(plan, states)
        messages = [message for message, _, _ in plan.writes]
        self._store.note_sent(messages)
        _settle(plan)
        asyncio.get_running_loop().call_soon(self._on_stored, messages)
        note_commit(plan)

    async def _store_plan(self, plan: Plan) -> None:
        # Not `run_transaction`: a conflict means that the numbers are taken, so the
        # plan has to be made anew, and at once.
        async with self._bus.transaction() as transaction:
            with stage("append"):
                begun = await self._store.append(
                    plan.appends, session=transaction.session
                )
            for _, event, waiting in plan.writes:
                with caused_by(waiting[0].cause):
                    transaction.publish(event, event_id=waiting[0].event_id)
            for follow, cause in zip(begun, _causes(begun, plan), strict=True):
                with caused_by(cause):
                    transaction.publish(followed_event(follow))

    async def _after_duplicate(self, batch: Batch) -> list[Batch]:
        """Answer repeated messages with their first result; the rest goes on."""
        self._forget(batch)
        rest = await self._settle_stored(batch)
        if len(rest) == len(batch):  # the first one is not on a majority yet
            await asyncio.sleep(random.uniform(0, _TURN_SECONDS))  # noqa: S311 - jitter
            return self._retried(batch, ConversationBusyError())
        return [rest]

    async def _after_conflict(self, batch: Batch) -> list[Batch]:
        """Another process writes the same conversations: plan anew, taking turns."""
        self._forget(batch)
        self.contended_until = self._clock.monotonic() + _CONTENDED_SECONDS
        await asyncio.sleep(random.uniform(0, _TURN_SECONDS))  # noqa: S311 - jitter
        return self._retried(batch, ConversationBusyError(), CONFLICTS_MAX)

    async def _after_unavailable(
        self, batch: Batch, error: UnavailableError
    ) -> list[Batch]:
        """Look up what an unknown commit stored before trying again."""
        self._forget(batch)
        if not error.details.get("is_unknown"):
            if batch[0].tries >= _WHOLE_TRIES:
                return _failed(batch, error)
            await asyncio.sleep(_PAUSE_SECONDS)  # an election takes a moment
            return [batch]
        for pending in batch:
            pending.is_in_doubt = True
        rest = await self._settle_stored(batch)
        return self._retried(rest, SendUnconfirmedError())

    def _after_unexpected(self, batch: Batch, error: Exception) -> list[Batch]:
        self._forget(batch)
        if len(batch) > 1:
            middle = len(batch) // 2
            return [batch[:middle], batch[middle:]]
        _log.error("message_write_failed", error=type(error).__name__)
        return _failed(batch, SendUnconfirmedError())

    async def _settle_stored(self, batch: Batch) -> list[Pending]:
        waiting = [pending for pending in batch if not pending.future.done()]
        stored = await self._store.find_sent([pending.key for pending in waiting])
        for pending in waiting:
            if pending.key in stored:
                pending.settle(stored[pending.key])
        return [pending for pending in waiting if pending.key not in stored]

    def _retried(
        self, batch: Batch, error: Exception, tries_max: int = TRIES_MAX
    ) -> list[Batch]:
        """Try again: first the whole batch, then its conversations apart."""
        waiting = [pending for pending in batch if not pending.future.done()]
        spent = [pending for pending in waiting if pending.tries >= tries_max]
        _failed(spent, error)
        rest = [pending for pending in waiting if pending.tries < tries_max]
        if rest and rest[0].tries >= _WHOLE_TRIES:
            return _by_conversation(rest)
        return [rest]

    def _forget(self, batch: Batch) -> None:
        self._states.forget({pending.draft.conversation_id for pending in batch})


def _causes(begun: Sequence[Follow], plan: Plan) -> list[Cause]:
    """Return the cause of the first answer that each follow began with."""
    causes = {
        (message.conversation_id, message.thread_seq): waiting[0].cause
        for message, _, waiting in reversed(plan.writes)
    }
    return [causes[follow.conversation_id, follow.thread_seq] for follow in begun]


def _settle(plan: Plan) -> None:
    for message, _, waiting in plan.writes:
        for pending in waiting:
            pending.settle(message)


def _failed(batch: Batch, error: Exception) -> list[Batch]:
    for pending in batch:
        pending.fail(error)
    return []


def _by_conversation(batch: Batch) -> list[Batch]:
    """Split so that one contended conversation does not hold up the others."""
    parts: dict[str, list[Pending]] = {}
    for pending in batch:
        parts.setdefault(pending.draft.conversation_id, []).append(pending)
    return list(parts.values())
