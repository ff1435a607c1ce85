"""The worker, and what its handlers begin with."""

from libs.events import Context, Retry, Worker
from libs.events.catalog import (
    ErasureCompleted,
    NotificationFailed,
    NotificationSent,
)
from libs.events.tracing import current_cause
from services.notification.domain.delivery import Origin
from services.notification.service.inbound import Inbound

RETRY = Retry(immediate=2, delays=("1s", "10s", "1m", "10m"))

worker = Worker(
    "notification", emits=[ErasureCompleted, NotificationSent, NotificationFailed]
)


def inbound_of(context: Context) -> Inbound:
    """Return what the worker was started with."""
    app: Inbound = context.app
    return app


def origin_of(context: Context) -> Origin:
    """Return the event being handled, with its trace."""
    return Origin(context.event_id, context.correlation_id, current_cause().traceparent)
