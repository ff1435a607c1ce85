"""Transactions in memory: their events leave at the commit, or not at all."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from libs.events.frames import Row
from libs.events.staging import StagedTransaction, Stager


class MemoryTransactions:
    """Opens transactions without a session.

    Args:
        stager: Encodes events.
        on_commit: Takes the rows of each commit, in order.
    """

    def __init__(
        self, stager: Stager, on_commit: Callable[[Sequence[Row]], None]
    ) -> None:
        self._stager = stager
        self._on_commit = on_commit

    @asynccontextmanager
    async def open(self) -> AsyncIterator[StagedTransaction]:
        """Open one; an exception in the block drops its events."""
        transaction = StagedTransaction(self._stager, None)
        yield transaction
        self._on_commit(transaction.rows)
