"""Where ordered subscriptions stand, in memory."""

from typing import Any

from libs.events.bus import Transaction
from libs.events.consuming.places import RELEASED, Place, place_of
from libs.events.consuming.ports import Effects, Work
from libs.events.envelope import Received


class _NotNowError(Exception):
    """The event is not the next of its key."""


class MemoryOrderBook:
    """`libs.events.consuming.ports.OrderBook` without a database."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self.states: dict[tuple[str, str], dict[str, Any]] = {}
        self.parked: dict[tuple[str, str], Received] = {}

    async def apply(
        self, subscription: str, event: Received, work: Work, *, is_late: bool = False
    ) -> Place:
        """Run work if the event is the next of its key; see `OrderBook.apply`."""
        key = (subscription, event.key)
        place = place_of(
            self.states.get(key, {}),
            event.sequence,
            is_late=is_late,
            is_parked=(subscription, event.id) in self.parked,
        )

        async def run(transaction: Transaction) -> None:
            if not place.is_due:
                raise _NotNowError
            await work(transaction)

        try:
            if not await self._effects.apply(subscription, event.id, run):
                self.parked.pop((subscription, event.id), None)
                return Place.DUPLICATE
        except _NotNowError:
            return place
        self.parked.pop((subscription, event.id), None)
        if place is not Place.LATE and event.sequence is not None:
            self.states.setdefault(key, {})["n"] = event.sequence
        return place

    async def pass_over(self, subscription: str, event: Received) -> None:
        """Let the key go on behind an event that was given up."""
        if event.sequence is not None:
            state = self.states.setdefault((subscription, event.key), {})
            state["n"] = max(event.sequence, state.get("n", event.sequence))

    async def park(self, subscription: str, event: Received, reason: str) -> None:
        """Keep an event and block its key; see `OrderBook.park`."""
        self.parked.setdefault((subscription, event.id), event)
        if reason:
            self.states.setdefault((subscription, event.key), {})["blocked"] = reason

    async def first_parked(self, subscription: str, key: str) -> bytes | None:
        """Return the parked event of a key with the smallest number."""
        found = [
            event
            for (name, _), event in self.parked.items()
            if name == subscription and event.key == key
        ]
        first = min(found, key=lambda event: event.sequence or 0, default=None)
        return first.raw if first else None

    async def unblock(self, subscription: str, key: str) -> None:
        """Let a key go on: nothing of it is parked any more."""
        self.states.get((subscription, key), {}).pop("blocked", None)

    async def blocked(self, subscription: str) -> dict[str, str]:
        """Return the keys with parked events and why; see `OrderBook.blocked`."""
        left = {e.key for (name, _), e in self.parked.items() if name == subscription}
        return dict.fromkeys(left, RELEASED) | {
            key: state["blocked"]
            for (name, key), state in self.states.items()
            if name == subscription and "blocked" in state
        }

    def release(self, subscription: str, key: str) -> None:
        """Let a key go on from its first parked event, as an operator does."""
        state = self.states[subscription, key]
        numbers = [
            event.sequence
            for (name, _), event in self.parked.items()
            if name == subscription and event.key == key and event.sequence is not None
        ]
        if numbers:
            state["n"] = min(numbers) - 1
        state["blocked"] = RELEASED
