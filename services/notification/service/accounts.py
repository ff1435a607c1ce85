"""Queues the mails about an account."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from libs.kernel import Clock, UserId, new_id
from services.notification.domain.delivery import (
    Channel,
    Delivery,
    Notice,
    Origin,
)
from services.notification.ports import DeliveryRepository, Session

NOTICE_LIFETIME = timedelta(hours=24)
"""A mail about an account that could not be sent for so long is dropped."""


class AccountMails:
    """Queues mails about an account, due at once.

    Args:
        deliveries: The durable queue.
        clock: Time.
    """

    def __init__(self, *, deliveries: DeliveryRepository, clock: Clock) -> None:
        self._deliveries = deliveries
        self._clock = clock

    async def queue(
        self,
        notices: Mapping[str, Notice],
        *,
        user_id: UserId | None,
        origin: Origin,
        session: Session,
    ) -> None:
        """Queue the mails that one event causes.

        Args:
            notices: By target: unique for the event, it names the recipient without
                the address.
            user_id: The account, or None for somebody who has none yet.
            origin: The event.
            session: The transaction that makes it happen once.
        """
        now = self._clock.now()
        await self._deliveries.add(
            [
                _delivery(target, notice, user_id, origin, now)
                for target, notice in notices.items()
            ],
            session,
        )


def _delivery(
    target: str,
    notice: Notice,
    user_id: UserId | None,
    origin: Origin,
    now: datetime,
) -> Delivery:
    return Delivery(
        delivery_id=new_id(),
        channel=Channel.EMAIL,
        target=target,
        user_id=user_id,
        origin=origin,
        created_at=now,
        due_at=now,
        expires_at=notice.valid_until or now + NOTICE_LIFETIME,
        notice=notice,
    )
