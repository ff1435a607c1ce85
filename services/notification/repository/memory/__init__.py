"""The repositories in memory: same semantics, one process, no transactions."""

from services.notification.repository.memory.deliveries import (
    MemoryDeliveryRepository,
)
from services.notification.repository.memory.projections import (
    MemoryConversationRepository,
    MemoryPeopleRepository,
)
from services.notification.repository.memory.stores import (
    MemoryDeviceRepository,
    MemoryNotificationRepository,
)

__all__ = [
    "MemoryConversationRepository",
    "MemoryDeliveryRepository",
    "MemoryDeviceRepository",
    "MemoryNotificationRepository",
    "MemoryPeopleRepository",
]
