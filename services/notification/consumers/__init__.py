"""Events in: conversations and messages, people and presence, accounts."""

from services.notification.consumers import accounts, conversations, people
from services.notification.consumers.registration import worker

__all__ = ["accounts", "conversations", "people", "worker"]
