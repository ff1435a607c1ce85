"""The inbox in memory."""

from collections.abc import Sequence

from libs.events.bus import Transaction
from libs.events.consuming.ports import BatchWork, Work
from libs.events.memory.order import MemoryOrderBook
from libs.events.memory.transactions import MemoryTransactions
from libs.kernel import EventId


class MemoryEffects:
    """`libs.events.consuming.ports.Effects`; a failed transaction forgets its ids."""

    def __init__(self, transactions: MemoryTransactions) -> None:
        self._transactions = transactions
        self.starts: dict[tuple[str, EventId], int] = {}
        self.known: set[tuple[str, EventId]] = set()
        self.order_book = MemoryOrderBook(self)

    async def apply(self, subscription: str, event_id: EventId, work: Work) -> bool:
        """Run work once; see `Effects.apply`."""
        key = (subscription, event_id)
        if key in self.known:
            return False
        self.known.add(key)
        try:
            async with self._transactions.open() as transaction:
                await work(transaction)
        except BaseException:
            self.known.discard(key)
            raise
        return True

    async def apply_outside(
        self, subscription: str, event_id: EventId, work: Work
    ) -> bool:
        """Run work, then record it; see `Effects.apply_outside`."""
        key = (subscription, event_id)
        if key in self.known:
            return False
        async with self._transactions.open() as transaction:
            await work(transaction)
        self.known.add(key)
        return True

    async def count_start(self, subscription: str, event_id: EventId) -> int:
        """Count a start; see `Effects.count_start`."""
        key = (subscription, event_id)
        self.starts[key] = self.starts.get(key, 0) + 1
        return self.starts[key]

    async def apply_batch(
        self, subscription: str, event_ids: Sequence[EventId], work: BatchWork
    ) -> None:
        """Run work over unknown ids; see `Effects.apply_batch`."""
        fresh = frozenset(i for i in event_ids if (subscription, i) not in self.known)
        if not fresh:
            return
        transaction: Transaction
        async with self._transactions.open() as transaction:
            failed = await work(transaction, fresh)
        self.known |= {(subscription, event_id) for event_id in fresh - failed}
