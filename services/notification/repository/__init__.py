"""MongoDB out: projections, lists, devices and the durable queue of deliveries.

What is private is sealed here, at the edge: names of fields are clear, addresses,
titles, texts, tokens and the content of account mails are not.
"""

from services.notification.repository.conversations import MongoConversationRepository
from services.notification.repository.deliveries import MongoDeliveryRepository
from services.notification.repository.devices import MongoDeviceRepository
from services.notification.repository.guard import Database
from services.notification.repository.indexes import create_indexes
from services.notification.repository.notifications import MongoNotificationRepository
from services.notification.repository.people import MongoPeopleRepository
from services.notification.repository.vault import Vault

__all__ = [
    "Database",
    "MongoConversationRepository",
    "MongoDeliveryRepository",
    "MongoDeviceRepository",
    "MongoNotificationRepository",
    "MongoPeopleRepository",
    "Vault",
    "create_indexes",
]
