"""HTTP in: ``/api/v1/conversations``."""

from services.chat.api import bans, conversations, members, messages, sync
from services.chat.api.dependencies import ChatState

ROUTERS = [
    conversations.router,
    members.router,
    bans.router,
    messages.router,
    sync.router,
]

__all__ = ["ROUTERS", "ChatState"]
