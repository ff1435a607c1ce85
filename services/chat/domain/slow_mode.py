"""Slow mode: a time between two messages of one sender."""

from datetime import datetime

from services.chat.domain.conversation import Conversation, Role
from services.chat.domain.permissions import SPEAKERS


def is_slowed(conversation: Conversation, role: Role) -> bool:
    """Tell whether a sender of a role has to wait between two messages."""
    return conversation.slow_mode_seconds > 0 and role not in SPEAKERS


def wait_seconds(
    conversation: Conversation, role: Role, last_sent_at: datetime | None, now: datetime
) -> float:
    """Return how long a sender still has to wait; 0 where they may send.

    Args:
        conversation: Where.
        role: The sender's.
        last_sent_at: Of the sender's newest message; None: none that counts.
        now: UTC.
    """
    if last_sent_at is None or not is_slowed(conversation, role):
        return 0.0
    waited_seconds = (now - last_sent_at).total_seconds()
    return max(0.0, conversation.slow_mode_seconds - waited_seconds)
