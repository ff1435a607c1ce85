"""What goes over the wire, in and out: closed models with bounded fields."""

from datetime import datetime, time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from libs.kernel import ConversationId
from services.notification.domain.devices import Device
from services.notification.domain.people import (
    MUTED_CONVERSATIONS_MAX,
    Preferences,
    QuietHours,
)
from services.notification.service.lists import Entry

Id = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
]
WallClock = Annotated[
    str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
]
# FCM tokens are printable ASCII; other characters would only fail at the provider.
DeviceToken = Annotated[
    str, StringConstraints(min_length=16, max_length=4096, pattern=r"^[!-~]+$")
]
DeviceName = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReadUntilRequest(_Request):
    """Tick off the list up to and with an entry."""

    until_id: Id


class ReadUntilResponse(_Response):
    """How many entries were unread."""

    read_count: int


class NotificationResponse(_Response):
    """An entry of the in-app list."""

    id: str
    kind: str
    conversation_id: str
    conversation_title: str | None
    message_id: str
    seq: int
    sender_id: str
    sender_name: str
    text: str
    has_attachments: bool
    created_at: datetime
    is_read: bool

    @classmethod
    def of(cls, entry: Entry) -> "NotificationResponse":
        """Return the wire form of an entry."""
        notification = entry.notification
        return cls(
            id=notification.notification_id,
            kind=notification.kind.value,
            conversation_id=notification.conversation_id,
            conversation_title=entry.conversation_title,
            message_id=notification.message_id,
            seq=notification.seq,
            sender_id=notification.sender_id,
            sender_name=entry.sender_name,
            text=entry.text,
            has_attachments=entry.has_attachments,
            created_at=notification.created_at,
            is_read=notification.is_read,
        )


class DeviceRequest(_Request):
    """A device that wants push."""

    token: DeviceToken
    platform: Literal["android", "ios", "web"]
    name: DeviceName


class DeviceResponse(_Response):
    """A device, without its token."""

    id: str
    platform: str
    name: str
    created_at: datetime
    last_seen_at: datetime

    @classmethod
    def of(cls, device: Device) -> "DeviceResponse":
        """Return the wire form of a device."""
        return cls(
            id=device.device_id,
            platform=device.platform.value,
            name=device.name,
            created_at=device.created_at,
            last_seen_at=device.last_seen_at,
        )


class DevicesResponse(_Response):
    """All devices of a user, oldest first; there are at most 50."""

    items: list[DeviceResponse]


class QuietHoursBody(_Request):
    """A daily span in the person's time zone."""

    start: WallClock
    end: WallClock


class PreferencesBody(_Request):
    """What a person chose; the whole of it is read and written."""

    push_enabled: bool = True
    email_enabled: bool = True
    include_content: bool = False
    quiet_hours: QuietHoursBody | None = None
    muted_conversation_ids: Annotated[
        list[Id], Field(max_length=MUTED_CONVERSATIONS_MAX)
    ] = []

    def preferences(self) -> Preferences:
        """Return the domain form.

        Raises:
            InvalidError: Quiet hours end when they start.
        """
        hours = self.quiet_hours
        return Preferences(
            push_enabled=self.push_enabled,
            email_enabled=self.email_enabled,
            include_content=self.include_content,
            quiet_hours=(
                QuietHours(
                    time.fromisoformat(hours.start), time.fromisoformat(hours.end)
                )
                if hours
                else None
            ),
            muted_conversation_ids=frozenset(
                ConversationId(one) for one in self.muted_conversation_ids
            ),
        )

    @classmethod
    def of(cls, preferences: Preferences) -> "PreferencesBody":
        """Return the wire form."""
        hours = preferences.quiet_hours
        return cls(
            push_enabled=preferences.push_enabled,
            email_enabled=preferences.email_enabled,
            include_content=preferences.include_content,
            quiet_hours=(
                QuietHoursBody(
                    start=hours.start.strftime("%H:%M"), end=hours.end.strftime("%H:%M")
                )
                if hours
                else None
            ),
            muted_conversation_ids=sorted(preferences.muted_conversation_ids),
        )
