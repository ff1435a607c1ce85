"""Events in: conversations and messages, people and presence, accounts."""

from services.notification.consumers import conversations, people, system_mails
from services.notification.consumers.registration import worker

__all__ = ["conversations", "people", "system_mails", "worker"]
