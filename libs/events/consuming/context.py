"""What a handler is given, and whether it may start at all."""

import time
from typing import Any

from libs.events import metrics
from libs.events.bus import Context, Transaction
from libs.events.consuming.intake import Item
from libs.events.consuming.ports import Effects
from libs.events.envelope import Received
from libs.events.errors import CrashLoopError

MAX_STARTS = 5


async def refuse_crash_loop(effects: Effects, subscription: str, item: Item) -> None:
    """Count the start of a suspect: an event whose frame came back several times.

    The broker's count also rises for frames that were only prefetched when a process
    died, so an event is judged by how often its own handler was started.

    Raises:
        CrashLoopError: Too often; it is not started again.
    """
    starts = await effects.count_start(subscription, item.received.id)
    if starts > MAX_STARTS:
        raise CrashLoopError(starts)


def make_context(
    received: Received,
    app: Any,  # noqa: ANN401 - the service's own type
    transaction: Transaction,
    attempt: int,
) -> Context:
    """Build what a handler knows beside its event."""
    return Context(
        event_id=received.id,
        app=app,
        session=transaction.session,
        occurred_at=received.time,
        sequence=received.sequence,
        correlation_id=received.correlation_id,
        causation_id=received.causation_id,
        attempt=attempt,
        transaction=transaction,
        traceparent=received.traceparent,
    )


def observe_lag(subscription: str, received: Received) -> None:
    """Measure how long ago an event happened whose handler starts now."""
    lag = max(0.0, time.time() - received.time.timestamp())
    metrics.of(metrics.consumer_lag, subscription).observe(lag)
