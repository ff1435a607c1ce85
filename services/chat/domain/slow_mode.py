"""Slow mode: a time between two messages of one sender, and between their edits.

A message is slowed by the sender's last message. An edit is slowed by that too, and by
the sender's last edit: who may not send now cannot say it by editing. An edit slows no
message. Source: security.md AZ-5.
"""

from datetime import datetime

from services.chat.domain.conversation import Conversation, Role
from services.chat.domain.errors import SlowModeError
from services.chat.domain.permissions import SLOWED, SPEAKERS, Action

SLOW_SCAN_MESSAGES = 2_000
"""Newest messages in which what a sender said last is looked for."""


def is_slowed(conversation: Conversation, role: Role, action: Action) -> bool:
    """Tell whether somebody of a role has to wait before they do it again."""
    has_to_wait = action in SLOWED and role not in SPEAKERS
    return conversation.slow_mode_seconds > 0 and has_to_wait


def require_waited(
    conversation: Conversation,
    role: Role,
    action: Action,
    last_at: datetime | None,
    now: datetime,
) -> None:
    """Refuse what comes too soon after the last time.

    Args:
        conversation: Where.
        role: Of who does it.
        action: What they do.
        last_at: When they did last what slows the action; None: never, as far as is
            looked.
        now: UTC.

    Raises:
        SlowModeError: With the seconds that are left.
    """
    if last_at is None or not is_slowed(conversation, role, action):
        return
    waited_seconds = (now - last_at).total_seconds()
    wait_seconds = conversation.slow_mode_seconds - waited_seconds
    if wait_seconds > 0:
        raise SlowModeError(round(wait_seconds, 3))
