"""What the core needs from the outside; `repository` and `delivery` implement it.

A `Session` is the database session of a transaction, opaque here; None runs a write
on its own. Reads in a transaction pass it too, so that they see its writes.
"""

from services.notification.ports.projections import (
    ConversationRepository,
    PeopleRepository,
)
from services.notification.ports.providers import Composer, MailSender, PushSender
from services.notification.ports.records import Line, Mail, Notification, Push, Session
from services.notification.ports.stores import (
    DeliveryRepository,
    DeviceRepository,
    NotificationRepository,
)

__all__ = [
    "Composer",
    "ConversationRepository",
    "DeliveryRepository",
    "DeviceRepository",
    "Line",
    "Mail",
    "MailSender",
    "Notification",
    "NotificationRepository",
    "PeopleRepository",
    "Push",
    "PushSender",
    "Session",
]
