"""HTTP in: ``/api/v1/conversations``."""

from services.chat.api import conversations, members, messages, sync
from services.chat.api.dependencies import ChatState

ROUTERS = [conversations.router, members.router, messages.router, sync.router]

__all__ = ["ROUTERS", "ChatState"]
