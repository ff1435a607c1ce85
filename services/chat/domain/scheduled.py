"""Messages that wait for their time."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from libs.kernel import UserId
from services.chat.domain.errors import DraftInvalidError
from services.chat.domain.limits import Limits
from services.chat.domain.message import Draft


class ScheduledState(StrEnum):
    """Where a scheduled message is; one that was sent is forgotten.

    ``waiting`` -> ``sending`` -> sent, ``failed``, or ``waiting`` once more.
    """

    WAITING = "waiting"
    SENDING = "sending"
    FAILED = "failed"


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is sent at a time.

    Attributes:
        scheduled_id: Becomes the message's client_message_id: it is sent once.
        draft: What is sent; its sender's rights count when it is sent.
        due_at: When it is sent, or tried again.
        code: Why it was not sent, once it has failed.
    """

    scheduled_id: str
    draft: Draft
    due_at: datetime
    state: ScheduledState = ScheduledState.WAITING
    code: str | None = None

    @property
    def user_id(self) -> UserId:
        """Who scheduled it."""
        return self.draft.sender_id


def check_due(due_at: datetime, now: datetime, limits: Limits) -> None:
    """Refuse a time that has passed, or is too far off.

    Raises:
        DraftInvalidError: ``due_invalid``.
    """
    if not now < due_at <= now + timedelta(days=limits.schedule_days):
        raise DraftInvalidError(
            "due_invalid",
            f"The time is past, or more than {limits.schedule_days} days ahead.",
            limit_days=limits.schedule_days,
        )
