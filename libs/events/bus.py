"""The names that services use: bus, transaction, worker, subscription, context.

No transport here. `libs.events.rabbitmq` and `libs.events.memory` implement it with
the same semantics, and one conformance suite runs on both.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from libs.events.envelope import EventHead
from libs.events.event import Event
from libs.kernel import EventId

E = TypeVar("E", bound=Event)
E_contra = TypeVar("E_contra", bound=Event, contravariant=True)
R = TypeVar("R")

RETRY_TIERS = ("1s", "10s", "1m", "10m", "1h")
"""Delays a failed event can wait: one queue each, so that the TTL is the queue's."""


@dataclass(frozen=True)
class Retry:
    """How often and how late a failed event is tried again.

    Attributes:
        immediate: Tries in process after the first one, with jitter, within 2 s.
        delays: Tiers it then goes through, each one of `RETRY_TIERS`; after the
            last it is a dead letter.
    """

    immediate: int = 2
    delays: tuple[str, ...] = ("1s", "10s", "1m", "10m")


@dataclass(frozen=True)
class KillSwitch:
    """Stops a subscription whose handler fails too often, then probes.

    Attributes:
        ratio: Share of failures that trips it, 0..1.
        minimum: Events in the window before it may trip.
        window: Time over which events are counted.
        pause: Time without consuming before one event is let through as a probe.
    """

    ratio: float = 0.5
    minimum: int = 100
    window: timedelta = timedelta(seconds=60)
    pause: timedelta = timedelta(seconds=30)


@dataclass(frozen=True)
class Subscription:
    """One durable stream of events into one handler of one service.

    Attributes:
        name: In kebab-case, unique in the service; the queue is
            ``<service>.<name>``.
        events: The types it takes; their exchanges follow from them.
        handler: `EventHandler`, or `BatchHandler` where `max_batch` > 0.
        retry: See `Retry`.
        concurrency: Transactions under way at the same time; those with events of one
            key never are.
        prefetch: Frames that the broker may have outstanding here.
        deadline: A handler that takes longer is cancelled and has failed.
        is_ordered: One consumer in the whole cluster, events of a key in order and
            without gaps: it must take every type that draws on the key's sequence. A
            sequence that was handled before its predecessor came is dead-lettered
            as ``out_of_order``. For handlers of single events: a batch is one
            transaction, in which a key that waits would hold back all the others.
        on_failure: For an ordered subscription, once `retry.immediate` tries failed:
            ``skip`` makes the event a dead letter and goes on; ``block_key`` parks it
            and everything behind it of its key in MongoDB until an operator releases
            the key.
        gap_hold: How long an ordered key waits for a missing number before its
            events are parked; more than the sweeper needs.
        max_batch: Size of a batch for a batch handler, else 0.
        in_transaction: Whether inbox row and effects share a MongoDB transaction
            (`Context.session`), in which fast handlers also share a commit with their
            neighbours in the frame and in frames beside it; if that fails, each runs
            again alone. So every effect must be in the database. False for handlers
            whose effect is elsewhere: they run alone and must be idempotent by event
            id.
        kill_switch: None: never stops.
    """

    name: str
    events: tuple[type[Event], ...]
    handler: Callable[..., Awaitable[None]]
    retry: Retry = field(default_factory=Retry)
    concurrency: int = 16
    prefetch: int = 64
    deadline: timedelta = timedelta(seconds=30)
    is_ordered: bool = False
    on_failure: Literal["skip", "block_key"] = "skip"
    gap_hold: timedelta = timedelta(seconds=20)
    max_batch: int = 0
    in_transaction: bool = True
    kill_switch: KillSwitch | None = None

    def __post_init__(self) -> None:
        """Refuse what would break a promise.

        Raises:
            ValueError: An unknown tier, tiers in an ordered subscription (a retried
                event would be overtaken), a batch or an order outside of a
                transaction, a batch in order, or `block_key` without order.
        """
        if self.is_ordered and self.retry == Retry():
            object.__setattr__(self, "retry", Retry(immediate=5, delays=()))
        for is_broken, why in self._broken_promises():
            if is_broken:
                raise ValueError(f"{self.name}: {why}")
        unknown = set(self.retry.delays) - set(RETRY_TIERS)
        if unknown:
            raise ValueError(f"{self.name}: no such tiers: {sorted(unknown)}")

    def _broken_promises(self) -> Iterator[tuple[bool, str]]:
        yield self.is_ordered and bool(self.retry.delays), "retry tiers break the order"
        yield (
            self.is_ordered and bool(self.max_batch),
            "a batch has no order by number: handle single events",
        )
        yield (
            self.is_ordered and not self.in_transaction,
            "order needs its transaction",
        )
        yield (
            self.on_failure != "skip" and not self.is_ordered,
            "only an ordered subscription can block",
        )
        yield (
            bool(self.max_batch) and not self.in_transaction,
            "a batch needs its transaction",
        )


@dataclass(frozen=True)
class LiveSubscription:
    """Events from now on into this process, without queue, retry or inbox.

    Bound to an exclusive queue ``<service>.live.<instance>-<name>``: what passes
    while the process is away is not seen. The handler is called in arrival order
    and must not block; it never fails a delivery.

    Attributes:
        wanted: Tells of an event, before its payload is decoded, whether the handler
            is to have it; called once with ``app`` and the event's `EventHead` as its
            frame arrives, it must not block or raise. None: all of them.
    """

    name: str
    events: tuple[type[Event], ...]
    handler: Callable[..., Awaitable[None]]
    wanted: Callable[[Any, EventHead], bool] | None = None


class Context(msgspec.Struct, frozen=True):
    """What a handler knows beside its event.

    Attributes:
        event_id: Stable over retries and replays: the idempotency key.
        app: The object given to `EventBus.run_worker`: the service's use cases.
        session: The MongoDB session of the inbox transaction; None for a live
            subscription or with ``in_transaction=False``.
        occurred_at: When the event was committed.
        sequence: CloudEvents ``sequence``, the revision of the aggregate.
        correlation_id: Follows one user action through every event it causes.
        causation_id: Id of the event or request that caused this event.
        attempt: From 1; counts the tries over all tiers.
        transaction: Publishes events that this one causes, in the same commit.
        traceparent: W3C trace context of the action that published it; None without.
    """

    event_id: EventId
    app: Any  # the service's own type; the handler annotates it
    session: Any  # pymongo's AsyncClientSession; the driver stays in the adapters
    occurred_at: datetime
    sequence: int | None
    correlation_id: str
    causation_id: str | None
    attempt: int
    transaction: "Transaction"
    traceparent: str | None = None

    def publish(self, event: Event, *, event_id: EventId | None = None) -> EventId:
        """Publish an event that this one causes, in the handler's transaction."""
        return self.transaction.publish(event, event_id=event_id)


class EventHandler(Protocol[E_contra]):
    """Takes one event; returning is success, raising decides what happens next.

    `PermanentError`, or an `AppError` that is not transient: dead letter.
    `RetryAfter`: the tier that is at least as long. Anything else: retried.
    """

    async def __call__(self, event: E_contra, context: Context, /) -> None:
        """Handle one event."""
        ...


class BatchItem(msgspec.Struct, Generic[E], frozen=True):
    """One event of a batch with its context."""

    event: E
    context: Context

    @property
    def traceparent(self) -> str | None:
        """W3C trace context of the action that published the event."""
        return self.context.traceparent


class Batch(Protocol[E]):
    """Events handed over together; each succeeds or fails on its own."""

    session: Any  # pymongo's AsyncClientSession

    @property
    def items(self) -> Sequence[BatchItem[E]]:
        """The events in order, at least one."""
        ...

    def fail(self, item: BatchItem[E], error: Exception) -> None:
        """Mark one event as failed: it alone is retried, the others are done."""
        ...


class Transaction(Protocol):
    """A MongoDB transaction whose events leave when it commits."""

    @property
    def session(self) -> Any:  # noqa: ANN401 - pymongo's AsyncClientSession
        """The session to pass to every write of this transaction."""
        ...

    def publish(self, event: Event, *, event_id: EventId | None = None) -> EventId:
        """Add an event; it becomes an outbox row in the same commit.

        Args:
            event: What happened.
            event_id: From `new_id` where the event holds a sealed field, whose
                additional data binds the id; else one is made.

        Returns:
            The event's id.
        """
        ...


class EventBus(Protocol):
    """What a service's composition root opens once and hands around."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction; leaving the block commits, an exception rolls back.

        After the commit the relay publishes from memory; if the process dies first,
        the sweeper publishes what is left in the outbox.

        Raises:
            UnavailableError: The database did not take the commit; whether it is
                stored is unknown if the error's details say ``is_unknown=True``.
        """
        ...

    async def run_transaction(
        self, callback: Callable[[Transaction], Awaitable[R]]
    ) -> R:
        """Run a callback in a transaction, again on a transient error.

        The callback may run more than once; its events leave once, from the run
        that committed.
        """
        ...

    async def publish_transient(self, event: Event) -> None:
        """Publish without an outbox, at most once: presence and the like.

        Never waits for the broker: while it is away the event is dropped and
        counted.
        """
        ...

    def run_worker(
        self, worker: "Worker", app: object
    ) -> AbstractAsyncContextManager[None]:
        """Consume what a worker subscribes to, until the block is left.

        Leaving drains: no new event starts, running handlers finish.
        """
        ...


class Worker:
    """Declares what a service emits and consumes; holds no connection.

    It is a module-level constant of a service's ``consumers``: the administrator's
    topology step reads it without starting the service.

    Args:
        service: Name of the service, for example ``chat``.
        emits: Every event class the service may publish. Its rights on exchanges
            follow from it.
    """

    def __init__(self, service: str, *, emits: Sequence[type[Event]] = ()) -> None:
        self.service = service
        self.emits = tuple(emits)
        self.subscriptions: list[Subscription] = []
        self.live_subscriptions: list[LiveSubscription] = []

    def subscribe(
        self,
        *events: type[Event],
        name: str,
        **options: Any,  # noqa: ANN401 - Subscription's fields
    ) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
        """Subscribe a handler of single events; options are `Subscription`'s."""

        def register(
            handler: Callable[..., Awaitable[None]],
        ) -> Callable[..., Awaitable[None]]:
            self._add(Subscription(name, events, handler, **options))
            return handler

        return register

    def subscribe_batch(
        self,
        *events: type[Event],
        name: str,
        max_size: int = 500,
        **options: Any,  # noqa: ANN401 - Subscription's fields
    ) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
        """Subscribe a handler of batches of up to `max_size` events.

        One batch is under way at a time in each process. `is_ordered` is refused; see
        `Subscription`.
        """
        options.setdefault("prefetch", 16)
        return self.subscribe(*events, name=name, max_batch=max_size, **options)

    def subscribe_live(
        self,
        *events: type[Event],
        name: str,
        wanted: Callable[[Any, EventHead], bool] | None = None,
    ) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
        """Subscribe this process to events from now on; see `LiveSubscription`."""

        def register(
            handler: Callable[..., Awaitable[None]],
        ) -> Callable[..., Awaitable[None]]:
            live = LiveSubscription(name, events, handler, wanted)
            self.live_subscriptions.append(live)
            return handler

        return register

    def _add(self, subscription: Subscription) -> None:
        if any(known.name == subscription.name for known in self.subscriptions):
            msg = f"{self.service}: subscription {subscription.name!r} exists"
            raise ValueError(msg)
        self.subscriptions.append(subscription)
