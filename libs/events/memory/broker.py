"""A broker in memory: topic exchanges, queues with acks and redelivery, tiers."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from libs.events.bus import LiveSubscription, Subscription
from libs.events.consuming.ports import Delivery, Headers
from libs.events.errors import PublishRefusedError
from libs.events.names import (
    bindings_of,
    dead_letter_queue,
    matches,
    queue_name,
    retry_queue,
    tier_seconds,
)

Receive = Callable[[Delivery], None]


@dataclass(eq=False)
class Message:
    """A message on a queue."""

    body: bytes
    routing_key: str
    headers: Headers
    delivery_count: int = 0
    is_settled: bool = False


class MemoryDelivery:
    """`libs.events.consuming.ports.Delivery` of a message in memory."""

    def __init__(self, queue: "MemoryQueue", message: Message) -> None:
        self._queue = queue
        self._message = message

    @property
    def body(self) -> bytes:
        """The frame."""
        return self._message.body

    @property
    def headers(self) -> Headers:
        """Headers as they were published."""
        return self._message.headers

    @property
    def delivery_count(self) -> int:
        """Earlier deliveries."""
        return self._message.delivery_count

    async def ack(self) -> None:
        """Settle it."""
        self._queue.settle(self._message)

    async def hand_back(self) -> None:
        """Return it to the head of the queue."""
        self._queue.give_back(self._message)


@dataclass(eq=False)
class MemoryQueue:
    """One queue: what waits, what is with its consumer.

    Attributes:
        ttl_seconds: Of a retry tier; None keeps messages.
        target: Where a tier's messages go when their time is over.
    """

    name: str
    ttl_seconds: int | None = None
    target: str = ""
    waiting: deque[Message] = field(default_factory=deque)
    outstanding: list[Message] = field(default_factory=list)
    due: deque[float] = field(default_factory=deque)
    receive: Receive | None = None
    prefetch: int = 64

    def put(self, message: Message) -> None:
        """Append a message and deliver what may be delivered."""
        self.waiting.append(message)
        self.pump()

    def pump(self) -> None:
        """Deliver while there is a consumer with room."""
        while self.receive and self.waiting and len(self.outstanding) < self.prefetch:
            message = self.waiting.popleft()
            self.outstanding.append(message)
            self.receive(MemoryDelivery(self, message))

    def settle(self, message: Message) -> None:
        """Forget a message that is done; a late ack after a loss does nothing."""
        if message in self.outstanding:
            self.outstanding.remove(message)
            self.pump()

    def give_back(self, message: Message) -> None:
        """Put a message at the head again, counted."""
        if message in self.outstanding:
            self.outstanding.remove(message)
            message.delivery_count += 1
            self.waiting.appendleft(message)
            asyncio.get_running_loop().call_soon(self.pump)

    def detach(self) -> None:
        """Take the consumer away: what it had not settled is delivered again."""
        self.receive = None
        for message in reversed(self.outstanding):
            message.delivery_count += 1
            self.waiting.appendleft(message)
        self.outstanding.clear()


class MemoryBroker:
    """Exchanges are names; a binding is (pattern, exchange) of a queue."""

    def __init__(self) -> None:
        self.queues: dict[str, MemoryQueue] = {}
        self.unroutable: list[Message] = []
        self._bindings: dict[str, list[tuple[str, str]]] = {}

    def declare(self, service: str, subscription: Subscription) -> MemoryQueue:
        """Make the queues of a durable subscription, once."""
        name = queue_name(service, subscription.name)
        self._queue(dead_letter_queue(name))
        for tier in subscription.retry.delays:
            tier_queue = self._queue(retry_queue(name, tier))
            tier_queue.ttl_seconds = tier_seconds(tier)
            tier_queue.target = name
        queue = self._queue(name)
        queue.prefetch = subscription.prefetch
        self.bind(name, bindings_of(subscription.events))
        return queue

    def declare_live(self, name: str, live: LiveSubscription) -> MemoryQueue:
        """Make the queue of a live subscription; empty at first."""
        self.queues.pop(name, None)
        self.bind(name, bindings_of(live.events))
        return self._queue(name)

    def remove(self, name: str) -> None:
        """Delete a queue and its bindings."""
        self.queues.pop(name, None)
        self._bindings.pop(name, None)

    def bind(self, queue: str, bindings: list[tuple[str, str]]) -> None:
        """Bind a queue to exchanges by topic patterns."""
        self._bindings[queue] = bindings

    def publish(self, exchange: str, routing_key: str, body: bytes) -> None:
        """Publish to a topic exchange; one copy for each queue that matches."""
        headers: Headers = {"x-attempt": 1}
        targets = [
            queue
            for queue, bindings in self._bindings.items()
            if any(
                bound == exchange and matches(pattern, routing_key)
                for bound, pattern in bindings
            )
        ]
        if not targets:
            self.unroutable.append(Message(body, routing_key, headers))
        for queue in targets:
            self._queue(queue).put(Message(body, routing_key, headers))

    def publish_direct(
        self, queue: str, event_type: str, body: bytes, headers: Headers, now: float
    ) -> None:
        """Publish to one queue by its name.

        Raises:
            PublishRefusedError: No such queue.
        """
        target = self.queues.get(queue)
        if target is None:
            raise PublishRefusedError(f"returned: no queue {queue}")
        if target.ttl_seconds is not None:
            target.due.append(now + target.ttl_seconds)
        target.put(Message(body, event_type, headers))

    def expire(self, now: float) -> int:
        """Move messages whose time in a tier is over; returns how many."""
        moved = 0
        for queue in list(self.queues.values()):
            while queue.due and queue.due[0] <= now:
                queue.due.popleft()
                message = queue.waiting.popleft()
                self.queues[queue.target].put(
                    Message(message.body, message.routing_key, message.headers)
                )
                moved += 1
        return moved

    def _queue(self, name: str) -> MemoryQueue:
        return self.queues.setdefault(name, MemoryQueue(name))
