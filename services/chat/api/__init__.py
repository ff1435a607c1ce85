"""HTTP in: ``/api/v1/conversations``, and what is the caller's own."""

from services.chat.api import (
    bans,
    channels,
    conversations,
    invites,
    members,
    messages,
    own,
    presence,
    reactions,
    scheduled,
    sync,
    threads,
)
from services.chat.api.dependencies import ChatState

ROUTERS = [
    channels.router,  # before /{conversation_id}, which would take its word for an id
    invites.router,
    conversations.router,
    members.router,
    bans.router,
    messages.router,
    own.router,
    reactions.router,
    threads.router,
    scheduled.router,
    sync.router,
    presence.router,
]

__all__ = ["ROUTERS", "ChatState"]
