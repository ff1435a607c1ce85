"""``notification.events``: outcome of deliveries; emitted by notification."""

from libs.events.event import Event


class NotificationSent(
    Event, type="notification.sent", version=1, key="notification_id"
):
    """A provider accepted a push or a mail (``channel``: push, email)."""

    notification_id: str
    user_id: str | None
    channel: str
    cause_event_id: str


class NotificationFailed(
    Event, type="notification.failed", version=1, key="notification_id"
):
    """A delivery was given up; ``reason`` is a stable slug."""

    notification_id: str
    user_id: str | None
    channel: str
    cause_event_id: str
    reason: str
