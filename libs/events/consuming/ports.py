"""What consuming needs from a transport and from the database."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from libs.events.bus import Transaction
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


class Effects(Protocol):
    """Runs work once per (subscription, event), however often it is delivered."""

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
