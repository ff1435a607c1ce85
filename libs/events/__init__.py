"""Typed events over RabbitMQ with a transactional outbox and an inbox.

These names are all that a service's core and consumers need. No transport is imported
here: `libs.events.rabbitmq` and `libs.events.memory` implement `EventBus`.
"""

from libs.events.bus import (
    Batch,
    BatchItem,
    Context,
    EventBus,
    KillSwitch,
    LiveSubscription,
    Retry,
    Subscription,
    Transaction,
    Worker,
)
from libs.events.envelope import EventHead
from libs.events.errors import PermanentError, RetryAfter, WriteConflictError
from libs.events.event import Event, upcast
from libs.events.settings import BusSettings

__all__ = [
    "Batch",
    "BatchItem",
    "BusSettings",
    "Context",
    "Event",
    "EventBus",
    "EventHead",
    "KillSwitch",
    "LiveSubscription",
    "PermanentError",
    "Retry",
    "RetryAfter",
    "Subscription",
    "Transaction",
    "Worker",
    "WriteConflictError",
    "upcast",
]
