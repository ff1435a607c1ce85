"""What passes between the core and its adapters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from libs.kernel import ConversationId, EventId, MessageId, UserId
from services.notification.domain.conversations import (
    Excerpt,
)
from services.notification.domain.decision import NotificationKind

Session = object | None
"""The database session of a transaction, opaque to the core."""


@dataclass(frozen=True)
class Notification:
    """An entry of somebody's in-app list; the text lies in the excerpt."""

    notification_id: str
    user_id: UserId
    kind: NotificationKind
    cause_event_id: EventId
    conversation_id: ConversationId
    message_id: MessageId
    seq: int
    sender_id: UserId
    created_at: datetime
    is_read: bool = False


@dataclass(frozen=True)
class Mail:
    """A rendered mail.

    Attributes:
        mail_id: Stable over tries; Message-ID derives from it.
        trace_id: Goes into X-Parley-Trace, or None.
    """

    mail_id: str
    address: str = field(repr=False)
    name: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(repr=False)
    created_at: datetime
    locale: str
    trace_id: str | None = None


@dataclass(frozen=True)
class Push:
    """A push for one device.

    Attributes:
        push_id: Stable over tries.
        tag: A device shows one notification per tag: a second try replaces it.
        data: What the app gets; ids, and no private content.
        lifetime: How long the provider may keep it.
        expires_at: The same as a time.
    """

    push_id: str
    token: str = field(repr=False)
    tag: str
    title: str = field(repr=False)
    body: str = field(repr=False)
    data: Mapping[str, str]
    lifetime: timedelta
    expires_at: datetime


@dataclass(frozen=True)
class Line:
    """A message as a reader sees it: who, when, what."""

    excerpt: Excerpt
    sender_name: str = field(repr=False)
