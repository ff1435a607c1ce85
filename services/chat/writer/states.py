"""What a lane remembers of conversations between two commits."""

from collections import OrderedDict
from collections.abc import Iterable

from libs.kernel import ConversationId, UserId
from services.chat.ports import WriterStore, WriteState
from services.chat.writer.pending import Pending


class StateCache:
    """Bounded, least recently used first out.

    A stale entry is harmless: the compare-and-set of the commit finds it out.

    Args:
        store: Where states are read.
        capacity: Conversations remembered, at least 1.
    """

    def __init__(self, store: WriterStore, capacity: int) -> None:
        self._store = store
        self._capacity = capacity
        self._states: OrderedDict[ConversationId, WriteState] = OrderedDict()

    async def load(self, batch: Iterable[Pending]) -> dict[ConversationId, WriteState]:
        """Return the states for a batch, reading what is missing in one go.

        A conversation is read again for a sender that is not known in it: either
        a new one or none at all.
        """
        senders: dict[ConversationId, set[UserId]] = {}
        for pending in batch:
            draft = pending.draft
            senders.setdefault(draft.conversation_id, set()).add(draft.sender_id)
        found: dict[ConversationId, WriteState] = {}
        missing: dict[ConversationId, set[UserId]] = {}
        for conversation_id, wanted in senders.items():
            state = self._states.get(conversation_id)
            if state is not None and wanted <= state.roles.keys():
                self._states.move_to_end(conversation_id)
                found[conversation_id] = state
            else:
                missing[conversation_id] = wanted
        if missing:
            found |= await self._read(missing)
        return found

    def forget(self, conversation_ids: Iterable[ConversationId]) -> None:
        """Drop conversations, so that the next batch reads them."""
        for conversation_id in conversation_ids:
            self._states.pop(conversation_id, None)

    async def _read(
        self, missing: dict[ConversationId, set[UserId]]
    ) -> dict[ConversationId, WriteState]:
        read = await self._store.load_states(missing)
        for conversation_id, state in read.items():
            known = self._states.get(conversation_id)
            if known is not None and known.members_version == state.members_version:
                state.roles = known.roles | state.roles
            self._states[conversation_id] = state
            self._states.move_to_end(conversation_id)
        while len(self._states) > self._capacity:
            self._states.popitem(last=False)
        return read
