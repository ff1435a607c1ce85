"""What Prometheus sees of deletions: who has not answered, and what is overdue.

Alerts: deploy/observability/rules/erasures.yml, docs/auth.md.
"""

from datetime import datetime

from prometheus_client import Gauge

from services.auth.domain.erasure import ERASING_SERVICES
from services.auth.ports import DeletionQueue, ErasureRepository

waiting = Gauge(
    "auth_erasures_waiting", "Erasures that a service has not answered.", ["service"]
)
oldest_seconds = Gauge(
    "auth_erasure_oldest_seconds",
    "How long the oldest erasure waits for a service; 0 if none does.",
    ["service"],
)
overdue_seconds = Gauge(
    "auth_deletion_overdue_seconds",
    "How long the oldest account that is due has not been erased.",
)


async def measure(
    queue: DeletionQueue, erasures: ErasureRepository, now: datetime
) -> None:
    """Set the metrics to what the database says.

    Raises:
        UnavailableError: It does not answer; the metrics stay as they are.
    """
    backlog = await erasures.backlog()
    for service in ERASING_SERVICES:
        owed = backlog.get(service)
        waiting.labels(service).set(owed.count if owed else 0)
        oldest_seconds.labels(service).set(
            (now - owed.oldest_at).total_seconds() if owed else 0
        )
    due_at = await queue.oldest_due_at()
    overdue_seconds.set(max(0.0, (now - due_at).total_seconds()) if due_at else 0)
