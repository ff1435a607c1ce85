"""Forgets messages that are older than their conversation keeps them.

A run of one conversation is one durable change: `first_seq` is raised, with a revision
and an event. From then on nobody sees what is below; it is deleted in batches right
after, and by the next run where this one is cut. What was sent leaves a stub, which
answers its sender's resend for ever. Source: ADR 0020, ADR 0027.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import msgspec
import structlog

from libs.events import EventBus, Transaction
from libs.events.catalog.conversation import ConversationTrimmed
from libs.kernel import AppError, Clock, ConversationId
from services.chat.domain.conversation import Conversation
from services.chat.ports import ConversationRepository, Lease, RetentionStore
from services.chat.service.transactions import run_change

Report = Callable[[str, int, int], None]
"""Called with the work's name, conversations looked at, and messages forgotten."""

BATCH = 500
_WORK = "retention"
_log = structlog.get_logger()


class RetentionResult(msgspec.Struct, kw_only=True):
    """What a run did, or would do.

    Attributes:
        conversations: Looked at.
        trimmed: Conversations whose `first_seq` was raised.
        messages: Forgotten.
    """

    conversations: int = 0
    trimmed: int = 0
    messages: int = 0


class Retention:
    """Use cases of retention.

    Args:
        bus: Opens transactions.
        conversations: Conversations and members.
        store: Finds and forgets old messages.
        clock: Measures ages.
        default_days: Of the installation; None keeps messages for ever.
        forget: Told of each conversation that was changed.
    """

    def __init__(
        self,
        bus: EventBus,
        conversations: ConversationRepository,
        store: RetentionStore,
        clock: Clock,
        *,
        default_days: int | None,
        forget: Callable[[ConversationId], None],
    ) -> None:
        self._bus = bus
        self._conversations = conversations
        self._store = store
        self._clock = clock
        self._default_days = default_days
        self._forget = forget

    async def keep(self, lease: Lease, interval_seconds: float) -> None:
        """Run again and again, one process at a time, until cancelled."""
        while True:
            await asyncio.sleep(interval_seconds)
            try:
                result = await lease.run(lambda: self.run(lambda *_: None))
            except AppError as error:
                _log.info("retention_not_run", code=error.code)
            else:
                if result.messages:
                    _log.info("retention_run", **msgspec.to_builtins(result))

    async def run(self, report: Report, *, is_dry_run: bool = False) -> RetentionResult:
        """Forget what is too old, in every conversation that has a retention.

        Raises:
            UnavailableError: The database does not answer; run it again.

        Emits: conversation.trimmed.
        """
        result, after = RetentionResult(), ""
        is_all = self._default_days is not None
        while ids := await self._store.conversations(
            is_all=is_all, after=after, limit=BATCH
        ):
            for conversation_id in ids:
                await self._run_one(conversation_id, result, is_dry_run=is_dry_run)
                report(_WORK, result.conversations, result.messages)
            after = ids[-1]
        return result

    async def _run_one(
        self,
        conversation_id: ConversationId,
        result: RetentionResult,
        *,
        is_dry_run: bool,
    ) -> None:
        conversation = await self._conversations.get(conversation_id)
        if conversation is None:  # deleted meanwhile
            return
        result.conversations += 1
        first_seq = await self._first_kept(conversation)
        grows = first_seq - conversation.first_seq
        result.trimmed += grows > 0
        if is_dry_run:
            result.messages += max(0, grows)
            return
        if grows > 0:
            await self._trim(conversation_id, first_seq)
        result.messages += await self._forget_below(conversation_id, first_seq)

    async def _first_kept(self, conversation: Conversation) -> int:
        days = conversation.retention_days or self._default_days
        if days is None:
            return conversation.first_seq
        return await self._store.first_kept(
            conversation.conversation_id,
            first_seq=conversation.first_seq,
            last_seq=conversation.last_seq,
            sent_from=self._clock.now() - timedelta(days=days),
        )

    async def _trim(self, conversation_id: ConversationId, first_seq: int) -> None:
        async def change(transaction: Transaction) -> None:
            session = transaction.session
            before = await self._conversations.get(conversation_id, session=session)
            if before is None or before.first_seq >= first_seq:
                return
            revision = before.revision + 1
            after = msgspec.structs.replace(
                before,
                first_seq=first_seq,
                revision=revision,
                changed_revision=revision,
            )
            await self._conversations.replace(after, before=before, session=session)
            transaction.publish(
                ConversationTrimmed(
                    conversation_id=conversation_id,
                    revision=revision,
                    first_seq=first_seq,
                )
            )

        await run_change(self._bus, change)
        self._forget(conversation_id)

    async def _forget_below(
        self, conversation_id: ConversationId, first_seq: int
    ) -> int:
        forgotten = 0
        while count := await self._store.forget_below(
            conversation_id, first_seq, limit=BATCH
        ):
            forgotten += count
        return forgotten
