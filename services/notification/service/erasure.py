"""Erasing what this service has of a person who is gone."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from libs.events import EventBus, Transaction
from libs.events.catalog import ErasureCompleted
from libs.kernel import UserId
from services.notification.ports import (
    DeliveryRepository,
    DeviceRepository,
    NotificationRepository,
    PeopleRepository,
)

_LIMIT = 500


@dataclass(frozen=True)
class PersonErasure:
    """The use case that answers `user.deleted`."""

    bus: EventBus
    people: PeopleRepository
    notifications: NotificationRepository
    devices: DeviceRepository
    deliveries: DeliveryRepository

    async def erase(self, user_id: UserId) -> int:
        """Forget a person in steps, then report it; harmless to repeat.

        The profile goes first: from then on nothing is decided for them, so nothing
        is added behind the steps. What is final in the queue holds ids alone and
        leaves by itself; texts leave with the messages that chat erases.

        Returns:
            How many entries, devices, waiting deliveries and dead addresses were
            removed now.

        Emits: erasure.completed.
        """
        await self.people.put_deletion(user_id)
        count = 0
        removals: tuple[Callable[..., Awaitable[int]], ...] = (
            self.devices.remove_of,
            self.deliveries.remove_pending_of,
            self.deliveries.remove_suppressed_of,
            self.notifications.remove_of,
        )
        for remove in removals:
            while removed := await remove(user_id, limit=_LIMIT):
                count += removed

        async def report(transaction: Transaction) -> None:
            transaction.publish(
                ErasureCompleted(
                    user_id=user_id, service="notification", erased_count=count
                )
            )

        await self.bus.run_transaction(report)
        return count
