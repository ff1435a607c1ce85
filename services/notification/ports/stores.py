"""What this service owns: in-app lists, devices, the queue of deliveries."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from libs.kernel import MessageId, UserId
from services.notification.domain.conversations import ReadMark
from services.notification.domain.delivery import (
    Channel,
    Delivery,
    DeliveryState,
)
from services.notification.domain.devices import Device, Platform
from services.notification.ports.records import Notification, Session


class NotificationRepository(Protocol):
    """The in-app lists."""

    async def add(
        self, notifications: Sequence[Notification], session: Session = None
    ) -> None:
        """Add entries."""
        ...

    async def page(
        self,
        user_id: UserId,
        *,
        before_id: str | None,
        limit: int,
        is_unread: bool | None,
    ) -> list[Notification]:
        """Return a user's entries, newest first.

        Args:
            user_id: Whose list.
            before_id: Only entries with a smaller id, or None.
            limit: At most so many.
            is_unread: True: only unread; False: only read; None: both.
        """
        ...

    async def mark_read(self, user_id: UserId, notification_id: str) -> bool:
        """Mark one entry as read; False where the user has no such entry."""
        ...

    async def mark_read_until(self, user_id: UserId, until_id: str) -> int:
        """Mark all entries up to and with an id; return how many were unread."""
        ...

    async def mark_conversations_read(
        self, marks: Sequence[ReadMark], session: Session = None
    ) -> None:
        """Mark the entries of messages up to each mark as read."""
        ...

    async def drop_message(
        self, message_id: MessageId, session: Session = None
    ) -> None:
        """Remove every entry about a message that was taken back."""
        ...

    async def remove_of(self, user_id: UserId, *, limit: int) -> int:
        """Remove some of a user's entries; return how many, 0 if none is left."""
        ...


class DeviceRepository(Protocol):
    """Devices that take push."""

    async def register(
        self,
        user_id: UserId,
        *,
        token: str,
        platform: Platform,
        name: str,
        now: datetime,
    ) -> Device:
        """Keep a device; a known token is updated, another user's token moves.

        Raises:
            ConflictError: The user has too many devices (``too_many_devices``).
        """
        ...

    async def of_user(self, user_id: UserId) -> list[Device]:
        """Return a user's devices, oldest first."""
        ...

    async def of_users(
        self, user_ids: Iterable[UserId], session: Session = None
    ) -> dict[UserId, list[Device]]:
        """Return the devices of several users."""
        ...

    async def get(self, device_ids: Iterable[str]) -> dict[str, Device]:
        """Return the known ones by id."""
        ...

    async def remove(
        self,
        device_id: str,
        user_id: UserId | None = None,
        session: Session = None,
    ) -> bool:
        """Remove a device, of a user if one is given; False where there is none."""
        ...

    async def remove_of(self, user_id: UserId, *, limit: int) -> int:
        """Remove some of a user's devices; return how many, 0 if none is left."""
        ...


class DeliveryRepository(Protocol):
    """The durable queue of pushes and mails."""

    async def add(
        self, deliveries: Sequence[Delivery], session: Session = None
    ) -> None:
        """Queue deliveries; (event, channel, target) is unique.

        Raises:
            ConflictError: One is known already (``delivery_exists``).
        """
        ...

    async def add_to_mails(
        self, deliveries: Sequence[Delivery], session: Session = None
    ) -> None:
        """Add a message to each user's waiting mail of its conversation, or queue one.

        A mail that was claimed once takes no more messages: its content must not
        change under its Message-ID. Beyond `MESSAGES_PER_MAIL` they are only counted.
        """
        ...

    async def claim(
        self, channel: Channel, *, holder: str, limit: int, lease: timedelta
    ) -> list[Delivery]:
        """Take due deliveries, the longest due first, for the time of a lease.

        No other claim gets them before the lease ends. Time is the store's.
        """
        ...

    async def release(self, holder: str) -> int:
        """Make what a holder left claimed due at once; return how many.

        For a process that starts: its predecessor of the same name is dead.
        """
        ...

    async def settle(
        self,
        delivery: Delivery,
        state: DeliveryState,
        *,
        reason: str | None,
        now: datetime,
        session: Session = None,
    ) -> bool:
        """Make a claimed delivery final and forget its private content.

        Returns:
            False where the claim is no longer held: nothing was changed.
        """
        ...

    async def put_back(
        self,
        delivery: Delivery,
        *,
        due_at: datetime,
        reason: str,
        attempts: int,
        unknowns: int,
        is_claim_counted: bool = True,
    ) -> None:
        """Give a claimed delivery back; nothing happens if the claim is lost.

        Args:
            delivery: As claimed.
            due_at: When it is due again.
            reason: Why, a stable slug.
            attempts: The new count.
            unknowns: The new count.
            is_claim_counted: False where the claim led to no try at all.
        """
        ...

    async def suppress(
        self,
        address: str,
        *,
        user_id: UserId | None,
        reason: str,
        now: datetime,
        session: Session = None,
    ) -> None:
        """Keep that an address is dead, for 30 days.

        Args:
            address: In any case.
            user_id: Whose it is; None where it is nobody's yet.
            reason: Why, a stable slug.
            now: From when the days are counted.
            session: Of the transaction that makes the delivery final.
        """
        ...

    async def suppressed(self, addresses: Iterable[str]) -> set[str]:
        """Return which of some addresses are dead."""
        ...

    async def pending(self) -> dict[Channel, int]:
        """Return how many deliveries wait, by channel."""
        ...

    async def remove_suppressed_of(self, user_id: UserId, *, limit: int) -> int:
        """Forget some dead addresses of a user; return how many, 0 for none."""
        ...

    async def remove_pending_of(self, user_id: UserId, *, limit: int) -> int:
        """Remove some of a user's waiting deliveries; return how many, 0 for none."""
        ...
