"""``presence.events``: who is there; emitted by chat, transitions only, no outbox."""

from datetime import datetime

from libs.events.event import Event


class PresenceChanged(Event, type="presence.changed", version=1, key="user_id"):
    """A user's presence became online, away or offline."""

    user_id: str
    status: str
    changed_at: datetime
