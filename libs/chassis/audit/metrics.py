"""What Prometheus sees of sealing, wherever a service keeps an audit."""

from collections.abc import Callable

from prometheus_client import Counter, Gauge

sealed_total = Counter("audit_records_sealed_total", "Records that got their number.")
breaks_total = Counter(
    "audit_chain_breaks_total", "Times that the chain's end was not where it was left."
)
sink_failures_total = Counter(
    "audit_checkpoint_failures_total", "Checkpoints that the second place did not take."
)
seal_age_seconds = Gauge(
    "audit_seal_age_seconds", "How long the oldest record without a number waits."
)
checkpoint_age_seconds = Gauge(
    "audit_checkpoint_age_seconds", "How long the oldest link waits for a checkpoint."
)


class WaitingGauge:
    """Since when something waits, as a gauge that goes on by itself.

    Args:
        gauge: Shows the seconds.
        monotonic: The clock, in seconds.
    """

    def __init__(self, gauge: Gauge, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._began: float | None = None
        gauge.set_function(self.seconds)

    def waits(self, *, is_waiting: bool) -> None:
        """Note whether it waits now."""
        if not is_waiting:
            self._began = None
        elif self._began is None:
            self._began = self._monotonic()

    def seconds(self) -> float:
        """Return how long it has been waiting."""
        return 0.0 if self._began is None else self._monotonic() - self._began
