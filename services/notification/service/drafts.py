"""What is written down for those who are told of messages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from libs.kernel import UserId, new_id
from services.notification.domain.conversations import Excerpt
from services.notification.domain.decision import Decision, Timing
from services.notification.domain.delivery import (
    Channel,
    Delivery,
    MessageRef,
    Origin,
)
from services.notification.domain.devices import Device
from services.notification.ports import Notification


@dataclass(frozen=True)
class Told:
    """A message, where it comes from, and who is told of it how.

    Attributes:
        read_by: Who has answered it since: it is in their list, as read, and that is
            all.
    """

    excerpt: Excerpt
    origin: Origin
    decisions: list[Decision]
    read_by: frozenset[UserId] = frozenset()

    @property
    def unread(self) -> list[Decision]:
        """The decisions about those who have not read it."""
        return [one for one in self.decisions if one.user_id not in self.read_by]


def entries(told: Iterable[Told], now: datetime) -> list[Notification]:
    """Return the in-app entries."""
    return [_entry(decision, one, now) for one in told for decision in one.decisions]


def mails(told: Iterable[Told], now: datetime, timing: Timing) -> list[Delivery]:
    """Return a mail for each decision that wants one."""
    return [
        _delivery(
            Channel.EMAIL,
            decision.user_id,
            decision.user_id,
            one,
            created_at=now,
            due_at=decision.email_due_at,
            expires_at=now + timing.email_lifetime,
        )
        for one in told
        for decision in one.unread
        if decision.email_due_at is not None
    ]


def pushes(
    told: Iterable[Told],
    devices: Mapping[UserId, list[Device]],
    now: datetime,
    timing: Timing,
) -> list[Delivery]:
    """Return a push for each device of each decision that wants one."""
    return [
        _delivery(
            Channel.PUSH,
            device.device_id,
            decision.user_id,
            one,
            created_at=now,
            due_at=decision.push_due_at,
            expires_at=now + timing.push_lifetime,
        )
        for one in told
        for decision in one.unread
        if decision.push_due_at is not None
        for device in devices.get(decision.user_id, [])
    ]


def _entry(decision: Decision, told: Told, now: datetime) -> Notification:
    excerpt = told.excerpt
    return Notification(
        notification_id=new_id(),
        user_id=decision.user_id,
        kind=decision.kind,
        cause_event_id=told.origin.event_id,
        conversation_id=excerpt.conversation_id,
        message_id=excerpt.message_id,
        seq=excerpt.seq,
        sender_id=excerpt.sender_id,
        created_at=now,
        is_read=decision.user_id in told.read_by,
    )


def _delivery(
    channel: Channel,
    target: str,
    user_id: UserId,
    told: Told,
    *,
    created_at: datetime,
    due_at: datetime,
    expires_at: datetime,
) -> Delivery:
    return Delivery(
        delivery_id=new_id(),
        channel=channel,
        target=target,
        user_id=user_id,
        origin=told.origin,
        created_at=created_at,
        due_at=due_at,
        expires_at=expires_at,
        conversation_id=told.excerpt.conversation_id,
        messages=(MessageRef(told.excerpt.message_id, told.excerpt.seq),),
    )
