"""Sends what is due: claims, looks again, hands over, stores the outcome."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from prometheus_client import Counter

from libs.events import EventBus, Transaction
from libs.events.catalog import NotificationFailed, NotificationSent
from libs.events.tracing import Cause, caused_by
from libs.kernel import Clock
from services.notification.domain.decision import (
    Cancel,
    Defer,
    Expire,
    GiveUp,
    Send,
    Timing,
    Verdict,
    judge,
)
from services.notification.domain.delivery import (
    UNKNOWNS_MAX,
    Accepted,
    Channel,
    Delivery,
    DeliveryState,
    Outcome,
    Postponed,
    Rejected,
    Unknown,
    Unreachable,
    backoff,
    channel_pause,
)
from services.notification.ports import DeliveryRepository
from services.notification.service.desk import Desk, Parcel
from services.notification.service.dossier import Dossier, Registry
from services.notification.service.keeping import store_each

log = structlog.get_logger()

OUTCOMES = Counter(
    "notification_deliveries",
    "Deliveries by channel and what became of a claim.",
    ["channel", "outcome"],
)


@dataclass(frozen=True)
class Rhythm:
    """How a dispatcher works.

    Attributes:
        holder: Name of the process, unique among those that run.
        batch: Deliveries claimed at a time.
        lease: For how long; after a crash they are due again when it ends.
        poll: Pause after a look that found less than a batch.
        send_limit: Longest time that one hand-over may take.
    """

    holder: str
    batch: int = 20
    lease: timedelta = timedelta(seconds=40)
    poll: timedelta = timedelta(milliseconds=500)
    send_limit: timedelta = timedelta(seconds=25)


class Dispatcher:
    """Sends the due deliveries of one channel; several may run side by side.

    Args:
        desk: Writes and hands over; one a channel.
        registry: Where dossiers are read.
        deliveries: The durable queue.
        bus: Publishes outcomes in the transaction that stores them.
        clock: Time.
        timing: How long each way waits.
        rhythm: How it works.

    Emits: notification.sent, notification.failed.
    """

    def __init__(
        self,
        *,
        desk: Desk,
        registry: Registry,
        deliveries: DeliveryRepository,
        bus: EventBus,
        clock: Clock,
        timing: Timing,
        rhythm: Rhythm,
    ) -> None:
        self._desk = desk
        self._registry = registry
        self._deliveries = deliveries
        self._bus = bus
        self._clock = clock
        self._timing = timing
        self._rhythm = rhythm
        self._failures = 0
        self._paused_until = clock.now()
        self._sending = asyncio.Lock()
        self._stopping = asyncio.Event()

    @property
    def channel(self) -> Channel:
        """The way it sends."""
        return self._desk.channel

    async def run(self) -> None:
        """Send until stopped; a failing store is the supervisor's business."""
        while not self._stopping.is_set():
            if await self.run_once() < self._rhythm.batch:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._rhythm.poll.total_seconds()):
                        await self._stopping.wait()

    async def stop(self) -> None:
        """Begin nothing more and wait until what was begun is stored."""
        self._stopping.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._rhythm.send_limit.total_seconds()):
                async with self._sending:
                    return

    async def run_once(self) -> int:
        """Send what is due now, one batch at most.

        Returns:
            How many deliveries were claimed; 0 while the provider is left alone.
        """
        async with self._sending:
            return await self._send_batch()

    async def _send_batch(self) -> int:
        if self._clock.now() < self._paused_until:
            return 0
        claimed = await self._deliveries.claim(
            self.channel,
            holder=self._rhythm.holder,
            limit=self._rhythm.batch,
            lease=self._rhythm.lease,
        )
        if not claimed:
            return 0
        lease_ends = self._clock.monotonic() + self._rhythm.lease.total_seconds()
        seen = await self._registry.dossier(claimed)
        parcels = []
        for delivery in claimed:
            now = self._clock.now()
            circumstances = seen.circumstances(delivery)
            verdict = judge(delivery, circumstances, now=now, timing=self._timing)
            parcel = await self._follow(delivery, verdict, now)
            if parcel is not None:
                parcels.append(parcel)
        await self._hand_over(parcels, seen, lease_ends)
        return len(claimed)

    async def _follow(
        self, delivery: Delivery, verdict: Verdict, now: datetime
    ) -> Parcel | None:
        """Do what a verdict says; a parcel is returned for what is to be sent."""
        match verdict:
            case Cancel(reason):
                await self._deliveries.settle(
                    delivery, DeliveryState.CANCELLED, reason=reason, now=now
                )
                self._count("cancelled", delivery, reason)
            case Defer(until):
                await self._put_back(delivery, until, "deferred")
            case Expire():
                await self._finish(delivery, DeliveryState.EXPIRED, "expired")
            case GiveUp(reason):
                await self._finish(delivery, DeliveryState.FAILED, reason)
            case Send(excerpts):
                return Parcel(delivery, excerpts)
        return None

    async def _hand_over(
        self, parcels: Sequence[Parcel], seen: Dossier, lease_ends: float
    ) -> None:
        # What was not begun by then is given back, so that nobody else sends it too.
        begin_until = lease_ends - self._rhythm.send_limit.total_seconds()
        size = self._desk.group_size
        for start in range(0, len(parcels), size):
            group = parcels[start : start + size]
            now = self._clock.now()
            is_late = self._clock.monotonic() > begin_until
            if is_late or self._stopping.is_set() or now < self._paused_until:
                for parcel in group:
                    due_at = max(now, self._paused_until)
                    await self._put_back(parcel.delivery, due_at, "not_begun")
                continue
            outcomes = await self._desk.send(group, seen)
            for outcome in outcomes:
                self._note(outcome)
            writes = [
                partial(self._store, parcel.delivery, outcome, seen)
                for parcel, outcome in zip(group, outcomes, strict=True)
            ]
            await store_each(writes, clock=self._clock, until=lease_ends)

    def _note(self, outcome: Outcome) -> None:
        """Learn from an outcome whether the provider is to be left alone."""
        if not isinstance(outcome, Unreachable):
            self._failures = 0
            return
        now = self._clock.now()
        if now >= self._paused_until:
            self._failures += 1
        pause = channel_pause(self._failures, outcome.retry_after)
        self._paused_until = max(self._paused_until, now + pause)

    async def _store(self, delivery: Delivery, outcome: Outcome, seen: Dossier) -> None:
        match outcome:
            case Unreachable():
                await self._wait(delivery, outcome)
            case Accepted():
                await self._finish(delivery, DeliveryState.SENT, None)
            case Rejected(reason, is_target_dead):
                await self._finish(
                    delivery,
                    DeliveryState.FAILED,
                    reason,
                    dead_target_of=seen if is_target_dead else None,
                )
            case Unknown(reason) if delivery.unknowns + 1 >= UNKNOWNS_MAX:
                await self._finish(delivery, DeliveryState.FAILED, "unconfirmed")
            case Unknown(reason):
                await self._retry(delivery, reason, unknowns=delivery.unknowns + 1)
            case Postponed(reason):
                await self._retry(delivery, reason, unknowns=delivery.unknowns)

    async def _finish(
        self,
        delivery: Delivery,
        state: DeliveryState,
        reason: str | None,
        *,
        dead_target_of: Dossier | None = None,
    ) -> None:
        """Make it final and tell of it, in one transaction."""

        async def finish(transaction: Transaction) -> None:
            is_mine = await self._deliveries.settle(
                delivery,
                state,
                reason=reason,
                now=self._clock.now(),
                session=transaction.session,
            )
            if not is_mine:
                return
            if dead_target_of is not None:
                await self._desk.bury(delivery, dead_target_of, transaction.session)
            transaction.publish(_outcome_event(delivery, reason))

        origin = delivery.origin
        with caused_by(
            Cause(origin.correlation_id, origin.event_id, origin.traceparent)
        ):
            await self._bus.run_transaction(finish)
        self._count(state.value, delivery, reason)

    async def _retry(self, delivery: Delivery, reason: str, *, unknowns: int) -> None:
        attempts = delivery.attempts + 1
        await self._deliveries.put_back(
            delivery,
            due_at=self._clock.now() + backoff(attempts, None),
            reason=reason,
            attempts=attempts,
            unknowns=unknowns,
        )
        self._count("retried", delivery, reason)

    async def _wait(self, delivery: Delivery, outcome: Unreachable) -> None:
        """Let a delivery wait at least as long as the channel does."""
        pause = channel_pause(max(self._failures, 1), outcome.retry_after)
        attempts = delivery.attempts + outcome.is_attempt
        wait = backoff(attempts, pause) if outcome.is_attempt else pause
        await self._deliveries.put_back(
            delivery,
            due_at=self._clock.now() + wait,
            reason=outcome.reason,
            attempts=attempts,
            unknowns=delivery.unknowns,
            is_claim_counted=outcome.is_attempt,
        )
        self._count("unreachable", delivery, outcome.reason)

    async def _put_back(
        self, delivery: Delivery, due_at: datetime, reason: str
    ) -> None:
        """Give back what was not tried."""
        await self._deliveries.put_back(
            delivery,
            due_at=due_at,
            reason=reason,
            attempts=delivery.attempts,
            unknowns=delivery.unknowns,
            is_claim_counted=False,
        )

    def _count(self, outcome: str, delivery: Delivery, reason: str | None) -> None:
        OUTCOMES.labels(self.channel.value, outcome).inc()
        log.info(
            "delivery_handled",
            channel=self.channel.value,
            delivery_id=delivery.delivery_id,
            cause_event_id=delivery.origin.event_id,
            correlation_id=delivery.origin.correlation_id,
            trace_id=delivery.origin.trace_id,
            outcome=outcome,
            reason=reason,
            attempts=delivery.attempts,
        )


def _outcome_event(
    delivery: Delivery, reason: str | None
) -> NotificationSent | NotificationFailed:
    if reason is None:
        return NotificationSent(
            notification_id=delivery.delivery_id,
            user_id=delivery.user_id,
            channel=delivery.channel.value,
            cause_event_id=delivery.origin.event_id,
        )
    return NotificationFailed(
        notification_id=delivery.delivery_id,
        user_id=delivery.user_id,
        channel=delivery.channel.value,
        cause_event_id=delivery.origin.event_id,
        reason=reason,
    )
