"""Runs a change of a conversation until it has won its compare-and-set."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from libs.events import EventBus, Transaction
from services.chat.domain.errors import ConversationBusyError, StaleConversationError

R = TypeVar("R")
TRIES_MAX = 5


async def run_change(bus: EventBus, change: Callable[[Transaction], Awaitable[R]]) -> R:
    """Run a change in a transaction, again if the conversation moved on.

    Args:
        bus: Opens the transaction.
        change: Reads, checks and writes in the transaction; may run several times.

    Raises:
        ConversationBusyError: Others kept winning; nothing was stored.
    """
    for _ in range(TRIES_MAX):
        try:
            return await bus.run_transaction(change)
        except StaleConversationError:
            continue
    raise ConversationBusyError
