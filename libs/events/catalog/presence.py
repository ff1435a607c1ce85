"""``presence.events`` and ``status.events``: who is there, and what they say of it.

Emitted by chat: presence by transitions only and without an outbox, statuses in the
commit of their change.
"""

from datetime import datetime

from libs.crypto.sealed import Sealed
from libs.events.event import Event


class PresenceChanged(Event, type="presence.changed", version=1, key="user_id"):
    """A user's presence became online, away or offline."""

    user_id: str
    status: str
    changed_at: datetime


class StatusChanged(Event, type="status.changed", version=1, key="user_id"):
    """A user set a custom status, took it back, or it expired.

    ``content``: JSON of ``[emoji, text]``; None: there is none any more.
    ``expires_at``: when it goes by itself; None: it stays.
    """

    user_id: str
    content: Sealed | None
    expires_at: datetime | None
    changed_at: datetime
