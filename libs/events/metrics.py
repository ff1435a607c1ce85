"""Prometheus metrics. Labels are types, subscriptions and words: all bounded."""

from functools import lru_cache
from typing import Any, TypeVar

from prometheus_client import Counter, Gauge, Histogram

published = Counter("events_published", "Events handed to the broker", ["type"])
confirmed = Counter("events_confirmed", "Events the broker confirmed", ["type"])
returned = Counter(
    "events_returned", "Events refused or not confirmed", ["type", "reason"]
)
transient_dropped = Counter(
    "events_transient_dropped", "Events without an outbox that were dropped", ["type"]
)

outbox_rows = Gauge("events_outbox_rows", "Committed events not yet confirmed")
outbox_age = Gauge("events_outbox_age_seconds", "Age of the oldest outbox row")
outbox_memory = Gauge("events_outbox_memory_rows", "Outbox rows held in memory")
outbox_memory_bytes = Gauge("events_outbox_memory_bytes", "Their encoded size")
outbox_parked = Gauge("events_outbox_parked_keys", "Keys held back by a refused event")
outbox_forgotten = Counter(
    "events_outbox_forgotten", "Copies dropped because the memory bound was reached"
)
outbox_swept = Counter("events_outbox_swept", "Rows another process left behind")

received = Counter("events_received", "Events received", ["subscription"])
handled = Counter(
    "events_handled", "Events by outcome", ["subscription", "type", "outcome"]
)
retried = Counter("events_retried", "Events sent to a tier", ["subscription", "tier"])
dead_lettered = Counter(
    "events_dead_lettered", "Events given up", ["subscription", "reason"]
)
in_flight = Gauge("events_in_flight", "Events received, not settled", ["subscription"])
handler_seconds = Histogram(
    "events_handler_seconds",
    "Time in the handler with its transaction",
    ["subscription"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
consumer_lag = Histogram(
    "events_consumer_lag_seconds",
    "From the time of an event to its handling; of a batch, its first",
    ["subscription"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3600),
)
has_consumer = Gauge(
    "events_has_consumer", "1 while the subscription consumes", ["subscription"]
)
kill_switch_open = Gauge(
    "events_kill_switch_open", "1 while the subscription is paused", ["subscription"]
)

ordered_gaps = Counter(
    "events_ordered_gaps", "Times a key waited for a missing number", ["subscription"]
)
ordered_parked = Counter(
    "events_ordered_parked",
    "Events parked: gap, failure, behind",
    ["subscription", "reason"],
)
ordered_blocked = Gauge(
    "events_ordered_blocked_keys", "Keys with parked events", ["subscription"]
)


M = TypeVar("M", Counter, Gauge, Histogram)


@lru_cache(maxsize=4096)
def _child(metric: Counter | Gauge | Histogram, *labels: str) -> Any:  # noqa: ANN401 - of the metric's own type
    return metric.labels(*labels)


def of(metric: M, *labels: str) -> M:
    """Return a metric's child; kept, since finding it costs more than counting."""
    found: M = _child(metric, *labels)
    return found
