"""In-app lists and devices, in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from libs.kernel import (
    ConflictError,
    MessageId,
    UserId,
    new_id,
)
from services.notification.domain.conversations import ReadMark
from services.notification.domain.devices import (
    DEVICES_PER_USER_MAX,
    Device,
    Platform,
)
from services.notification.ports import Notification, Session


class MemoryNotificationRepository:
    """See `NotificationRepository`."""

    def __init__(self) -> None:
        self._entries: dict[str, Notification] = {}

    async def add(
        self, notifications: Sequence[Notification], session: Session = None
    ) -> None:
        """Add entries."""
        del session
        self._entries |= {entry.notification_id: entry for entry in notifications}

    async def page(
        self,
        user_id: UserId,
        *,
        before_id: str | None,
        limit: int,
        is_unread: bool | None,
    ) -> list[Notification]:
        """Return a user's entries, newest first."""
        found = [
            entry
            for entry in self._entries.values()
            if entry.user_id == user_id
            and (before_id is None or entry.notification_id < before_id)
            and (is_unread is None or entry.is_read is not is_unread)
        ]
        found.sort(key=lambda entry: entry.notification_id, reverse=True)
        return found[:limit]

    async def mark_read(self, user_id: UserId, notification_id: str) -> bool:
        """Mark one entry as read; False where the user has no such entry."""
        entry = self._entries.get(notification_id)
        if entry is None or entry.user_id != user_id:
            return False
        self._mark([entry])
        return True

    async def mark_read_until(self, user_id: UserId, until_id: str) -> int:
        """Mark all entries up to and with an id; return how many were unread."""
        return self._mark(
            entry
            for entry in self._entries.values()
            if entry.user_id == user_id and entry.notification_id <= until_id
        )

    async def mark_conversations_read(
        self, marks: Sequence[ReadMark], session: Session = None
    ) -> None:
        """Mark the entries of messages up to each mark as read."""
        del session
        for mark in marks:
            self._mark(
                [
                    entry
                    for entry in self._entries.values()
                    if entry.user_id == mark.user_id
                    and entry.conversation_id == mark.conversation_id
                    and entry.seq <= mark.read_seq
                ]
            )

    async def remove_of(self, user_id: UserId, *, limit: int) -> int:
        """Remove some of a user's entries; return how many."""
        own = [key for key, one in self._entries.items() if one.user_id == user_id]
        for notification_id in own[:limit]:
            del self._entries[notification_id]
        return len(own[:limit])

    async def drop_message(
        self, message_id: MessageId, session: Session = None
    ) -> None:
        """Remove every entry about a message that was taken back."""
        del session
        self._entries = {
            entry_id: entry
            for entry_id, entry in self._entries.items()
            if entry.message_id != message_id
        }

    def _mark(self, entries: Iterable[Notification]) -> int:
        unread = [entry for entry in entries if not entry.is_read]
        for entry in unread:
            self._entries[entry.notification_id] = replace(entry, is_read=True)
        return len(unread)


class MemoryDeviceRepository:
    """See `DeviceRepository`."""

    def __init__(self) -> None:
        self._devices: dict[str, Device] = {}

    async def register(
        self,
        user_id: UserId,
        *,
        token: str,
        platform: Platform,
        name: str,
        now: datetime,
    ) -> Device:
        """Keep a device; a known token is updated, another user's token moves."""
        device = Device(new_id(), user_id, platform, name, token, now, now)
        known = next((d for d in self._devices.values() if d.token == token), None)
        if known is not None and known.user_id == user_id:
            device = replace(
                device, device_id=known.device_id, created_at=known.created_at
            )
        elif len(await self.of_user(user_id)) >= DEVICES_PER_USER_MAX:
            raise ConflictError(
                "too_many_devices",
                "The account has too many devices.",
                maximum=DEVICES_PER_USER_MAX,
            )
        elif known is not None:
            del self._devices[known.device_id]
        self._devices[device.device_id] = device
        return device

    async def of_user(self, user_id: UserId) -> list[Device]:
        """Return a user's devices, oldest first."""
        return (await self.of_users([user_id])).get(user_id, [])

    async def of_users(
        self, user_ids: Iterable[UserId], session: Session = None
    ) -> dict[UserId, list[Device]]:
        """Return the devices of several users."""
        del session
        wanted = set(user_ids)
        found: dict[UserId, list[Device]] = {}
        for device in sorted(self._devices.values(), key=lambda one: one.device_id):
            if device.user_id in wanted:
                found.setdefault(device.user_id, []).append(device)
        return found

    async def get(self, device_ids: Iterable[str]) -> dict[str, Device]:
        """Return the known ones by id."""
        return {one: self._devices[one] for one in device_ids if one in self._devices}

    async def remove(
        self,
        device_id: str,
        user_id: UserId | None = None,
        session: Session = None,
    ) -> bool:
        """Remove a device, of a user if one is given; False where there is none."""
        del session
        device = self._devices.get(device_id)
        if device is None or (user_id is not None and device.user_id != user_id):
            return False
        del self._devices[device_id]
        return True

    async def remove_of(self, user_id: UserId, *, limit: int) -> int:
        """Remove some of a user's devices; return how many."""
        own = [key for key, one in self._devices.items() if one.user_id == user_id]
        for device_id in own[:limit]:
            del self._devices[device_id]
        return len(own[:limit])
