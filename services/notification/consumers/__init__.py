"""Events in: conversations and messages, people, presence, accounts.

`worker` is what the administrator's topology step reads.
"""

from services.notification.consumers import accounts, conversations, people
from services.notification.consumers.inbound import Inbound, worker

__all__ = ["Inbound", "accounts", "conversations", "people", "worker"]
