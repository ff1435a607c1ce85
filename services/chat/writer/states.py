"""What a lane remembers of conversations between two commits."""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime

from libs.kernel import ConversationId, UserId
from services.chat.ports import WriterStore, WriteState
from services.chat.writer.pending import Pending
from services.chat.writer.plan import refusal


class StateCache:
    """Bounded, least recently used first out.

    A stale entry is harmless: what it lets through meets the compare-and-set of the
    commit, and what it would refuse is read again first.

    Args:
        store: Where states are read.
        capacity: Conversations remembered, at least 1.
    """

    def __init__(self, store: WriterStore, capacity: int) -> None:
        self._store = store
        self._capacity = capacity
        self._states: OrderedDict[ConversationId, WriteState] = OrderedDict()
        self._reading: set[ConversationId] = set()

    async def load(
        self, batch: Iterable[Pending], now: datetime
    ) -> dict[ConversationId, WriteState]:
        """Return the states for a batch, reading what is missing in one go.

        A conversation is read again where memory would refuse a message: its sender
        may be new, it may have been brought back, or the message that is replied to
        is another process's. A refusal makes no compare-and-set that tells.
        """
        waiting: dict[ConversationId, list[Pending]] = {}
        for pending in batch:
            waiting.setdefault(pending.draft.conversation_id, []).append(pending)
        found: dict[ConversationId, WriteState] = {}
        missing: dict[ConversationId, set[UserId]] = {}
        for conversation_id, pendings in waiting.items():
            state = self._states.get(conversation_id)
            if state is None or any(refusal(p, state, now) for p in pendings):
                missing[conversation_id] = {p.draft.sender_id for p in pendings}
            else:
                self._states.move_to_end(conversation_id)
                found[conversation_id] = state
        if missing:
            found |= await self._read(missing)
        return found

    def forget(self, conversation_ids: Iterable[ConversationId]) -> None:
        """Drop conversations, so that the next batch reads them."""
        for conversation_id in conversation_ids:
            self._states.pop(conversation_id, None)
            self._reading.discard(conversation_id)

    async def _read(
        self, missing: dict[ConversationId, set[UserId]]
    ) -> dict[ConversationId, WriteState]:
        self._reading = set(missing)  # one read at a time: a lane has one task
        read = await self._store.load_states(missing)
        for conversation_id, state in read.items():
            if conversation_id not in self._reading:  # forgotten meanwhile
                continue
            known = self._states.get(conversation_id)
            if known is not None and known.members_version == state.members_version:
                state.roles = known.roles | state.roles
                state.sent_at = known.sent_at | state.sent_at
            self._states[conversation_id] = state
            self._states.move_to_end(conversation_id)
        while len(self._states) > self._capacity:
            self._states.popitem(last=False)
        return read
