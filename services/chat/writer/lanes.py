"""The lanes: queues of pending messages, each with one commit in flight."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from zlib import crc32

import structlog

from libs.events import EventBus
from libs.events.tracing import Cause, current_cause
from libs.kernel import Clock, ConversationId
from services.chat.domain.errors import SendUnconfirmedError, WriterBusyError
from services.chat.domain.message import Draft, Message
from services.chat.ports import TransportSealer, WriterStore
from services.chat.writer.commits import BatchCommitter
from services.chat.writer.metrics import batch_messages, observe, refused_messages
from services.chat.writer.patience import Patience
from services.chat.writer.pending import Pending
from services.chat.writer.states import StateCache

_LOAD = 8
"""Messages of a commit from which on its lane is under load."""
_REST_SECONDS_MAX = 0.1
_log = structlog.get_logger()


@dataclass(frozen=True)
class WriterLimits:
    """How much the writer takes at once.

    Attributes:
        lanes: Commits in flight at the same time; a conversation has one lane.
        batch: Messages of one commit at most.
        queue: Messages waiting in one lane; above it a sender is told to wait.
        states: Conversations one lane remembers.
        gather: Messages that end a lane's rest between two commits.
        gather_seconds: How long a rest is at most, beside others as many times as
            there are processes; 0: a lane never rests.
        wait_seconds: How long a sender waits for the outcome.
    """

    lanes: int = 2
    batch: int = 200
    gather: int = 50
    gather_seconds: float = 0.025
    queue: int = 2_000
    states: int = 20_000
    wait_seconds: float = 15.0


class _Lane:
    """A queue and the task that empties it.

    A commit costs nearly the same whatever is in it, so a lane rests after one that
    shows load: what comes meanwhile shares the next one. Without load it never waits.
    """

    def __init__(
        self, committer: BatchCommitter, states: StateCache, limits: WriterLimits
    ) -> None:
        self._committer = committer
        self._limits = limits
        self._queue: deque[Pending] = deque()
        self._wake = asyncio.Event()
        self._is_gathered = asyncio.Event()
        self._is_closing = False
        self.rest_seconds = limits.gather_seconds
        self.states = states

    def put(self, pending: Pending) -> None:
        if self._is_closing or len(self._queue) >= self._limits.queue:
            refused_messages.inc()
            raise WriterBusyError
        self._queue.append(pending)
        self._wake.set()
        if len(self._queue) >= self._limits.gather:
            self._is_gathered.set()

    def close(self) -> None:
        self._is_closing = True
        self._wake.set()
        self._is_gathered.set()

    async def run(self) -> None:
        """Commit until closed and empty."""
        while self._queue or not self._is_closing:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            size = min(len(self._queue), self._limits.batch)
            batch = [self._queue.popleft() for _ in range(size)]
            batch_messages.observe(size)
            observe("queue", time.perf_counter() - batch[0].queued_at)
            await self._commit(batch)
            if size >= _LOAD and self.rest_seconds:
                await self._rest()

    async def _rest(self) -> None:
        """Let messages gather, for a moment at most."""
        if self._is_closing or len(self._queue) >= self._limits.gather:
            return
        self._is_gathered.clear()
        end = asyncio.get_running_loop().call_later(
            self.rest_seconds, self._is_gathered.set
        )
        await self._is_gathered.wait()
        end.cancel()

    async def _commit(self, batch: list[Pending]) -> None:
        try:
            await self._committer.commit(batch)
        except Exception as error:  # noqa: BLE001 - the last resort: a lane that ends takes the process with it
            _log.exception("lane_commit_failed", error=type(error).__name__)
            for pending in batch:
                pending.fail(SendUnconfirmedError())


class GroupCommitWriter:
    """Appends messages; implements `MessageWriter`.

    Args:
        bus: Opens the transactions.
        store: Where messages are appended.
        sealer: Seals the content of events.
        clock: Gives ``sent_at``.
        limits: See `WriterLimits`.
    """

    def __init__(
        self,
        bus: EventBus,
        store: WriterStore,
        sealer: TransportSealer,
        clock: Clock,
        *,
        limits: WriterLimits,
    ) -> None:
        self._patience = Patience(limits.wait_seconds)
        self._on_stored: Callable[[Sequence[Message]], None] = lambda _: None
        self._lanes = []
        self._lanes_used = limits.lanes
        self._gather_seconds = limits.gather_seconds
        for _ in range(limits.lanes):
            states = StateCache(store, limits.states)
            committer = BatchCommitter(
                bus,
                store,
                states,
                sealer=sealer,
                clock=clock,
                on_stored=self._stored,
            )
            self._lanes.append(_Lane(committer, states, limits))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Commit while the block runs; leaving it commits what is queued."""
        watching = asyncio.create_task(self._patience.run())
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in self._lanes:
                    tasks.create_task(lane.run())
                try:
                    yield
                finally:
                    for lane in self._lanes:
                        lane.close()
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    def on_stored(self, callback: Callable[[Sequence[Message]], None]) -> None:
        """Call back with the messages of each commit, right after it."""
        self._on_stored = callback

    def _stored(self, messages: Sequence[Message]) -> None:
        self._on_stored(messages)

    async def submit(self, draft: Draft) -> Message:
        """Append a checked draft; idempotent on its client_message_id.

        Messages of one conversation that are submitted one after the other get
        their seq in that order.

        Returns:
            The stored message: the first one, if it was sent before.

        Raises:
            ConversationNotFoundError: The sender is not a member at commit time.
            NotPermittedError: The sender's role may not send here.
            ConversationIsArchivedError: It is read-only.
            DraftInvalidError: ``reply_not_found``.
            WriterBusyError: The queue is full; nothing was stored.
            ConversationBusyError: Others kept winning; nothing was stored.
            SendUnconfirmedError: The outcome is unknown; send it again.

        Emits: message.sent. Source: ADR 0009.
        """
        return await self.begin(draft)

    def begin(
        self, draft: Draft, cause: Cause | None = None
    ) -> asyncio.Future[Message]:
        """Queue a draft for `submit`'s result; calls in order keep their order.

        Args:
            draft: Checked.
            cause: What its event inherits; None: from the action under way.

        Raises:
            WriterBusyError: The queue is full; nothing was stored.
        """
        future = asyncio.get_running_loop().create_future()
        pending = Pending(draft, future, cause or current_cause())
        self._lane(draft.conversation_id).put(pending)
        self._patience.add(pending)
        return pending.future

    def share(self, processes: int) -> None:
        """Use fewer lanes, and longer rests, beside others on the same database.

        What each has to commit is less then, and a commit costs nearly the same
        whatever is in it. A conversation that changes its lane while it is written
        costs a try: the compare-and-set holds.
        """
        self._lanes_used = max(1, len(self._lanes) // max(1, processes))
        longest = max(self._gather_seconds, _REST_SECONDS_MAX)
        for lane in self._lanes:
            lane.rest_seconds = min(self._gather_seconds * max(1, processes), longest)

    def forget(self, conversation_id: ConversationId) -> None:
        """Drop what is remembered of a conversation that another path changed."""
        for lane in self._lanes:
            lane.states.forget((conversation_id,))

    def _lane(self, conversation_id: ConversationId) -> _Lane:
        # Other bits than the partition's: a process has partitions for each lane.
        number = crc32(conversation_id.encode()) >> 16
        return self._lanes[number % self._lanes_used]
