"""What consuming needs from a transport and from the database."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from libs.events.bus import Transaction
from libs.events.consuming.places import Place
from libs.events.envelope import Received
from libs.kernel import EventId

Headers = Mapping[str, str | int]
Work = Callable[[Transaction], Awaitable[None]]
BatchWork = Callable[[Transaction, frozenset[EventId]], Awaitable[frozenset[EventId]]]


class Delivery(Protocol):
    """One message that a queue handed to this process."""

    @property
    def body(self) -> bytes:
        """The frame."""
        ...

    @property
    def headers(self) -> Headers:
        """``x-attempt``, ``x-first-failure`` and whatever else came."""
        ...

    @property
    def delivery_count(self) -> int:
        """How often the broker delivered it before, to anybody."""
        ...

    async def ack(self) -> None:
        """Settle it; best effort, never raises: the inbox absorbs a redelivery."""
        ...

    async def hand_back(self) -> None:
        """Let the broker deliver it again; best effort, never raises."""
        ...


class Courier(Protocol):
    """Moves an event to a retry tier or to the dead letters, confirmed."""

    async def publish(
        self, routing_key: str, body: bytes, *, event_type: str, headers: Headers
    ) -> None:
        """Publish to the service's own direct exchange.

        Raises:
            BrokerAwayError: No confirm.
            PublishRefusedError: No such queue.
        """
        ...


class OrderBook(Protocol):
    """Where each key of an ordered subscription stands."""

    async def apply(
        self, subscription: str, event: Received, work: Work, *, is_late: bool = False
    ) -> Place:
        """Run work if the event is the next of its key, once.

        Inbox row, the key's last number and the work's effects are one transaction.
        The first number that is ever seen of a key is adopted. Whatever is not due
        changes nothing.

        Args:
            subscription: Name.
            event: One without a number is always next.
            work: The handler.
            is_late: Run it although its successors are done (a replay).
        """
        ...

    async def pass_over(self, subscription: str, event: Received) -> None:
        """Let the key go on behind an event that was given up."""
        ...

    async def park(self, subscription: str, event: Received, reason: str) -> None:
        """Keep an event, once, and block its key for a reason, if one is given."""
        ...

    async def first_parked(self, subscription: str, key: str) -> bytes | None:
        """Return the encoded parked event of a key with the smallest number."""
        ...

    async def unblock(self, subscription: str, key: str) -> None:
        """Let a key go on: nothing of it is parked any more."""
        ...

    async def blocked(self, subscription: str) -> dict[str, str]:
        """Return the blocked keys and why; released: parked events may be handled."""
        ...


class Effects(Protocol):
    """Runs work once per (subscription, event), however often it is delivered."""

    @property
    def order_book(self) -> OrderBook:
        """The same for ordered subscriptions."""
        ...

    async def apply(self, subscription: str, event_id: EventId, work: Work) -> bool:
        """Run work in one transaction with the inbox row; False for a duplicate."""
        ...

    async def apply_outside(
        self, subscription: str, event_id: EventId, work: Work
    ) -> bool:
        """Run work whose effect is elsewhere, then record the id; False as above.

        What the work publishes leaves with the record. A crash in between runs the
        work again: it must be idempotent by event id.
        """
        ...

    async def count_start(self, subscription: str, event_id: EventId) -> int:
        """Count, durably and at once, that a handler starts; returns the count."""
        ...

    async def apply_batch(
        self, subscription: str, event_ids: Sequence[EventId], work: BatchWork
    ) -> None:
        """Run work over the ids not yet known, in one transaction with their rows.

        The work returns the ids that failed; those are not recorded.
        """
        ...
