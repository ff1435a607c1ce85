"""What the core of chat needs from outside, as Protocols."""

from services.chat.ports.delivery import (
    ClientSocket,
    MessageWriter,
    PresenceStore,
    RemovalChannel,
    Rooms,
    TransportSealer,
    TypingChannel,
)
from services.chat.ports.storage import (
    Append,
    Changes,
    ConversationRepository,
    JoinedAt,
    MessageRepository,
    Page,
    SentKey,
    Session,
    UserRepository,
    WriterStore,
    WriteState,
)

__all__ = [
    "Append",
    "Changes",
    "ClientSocket",
    "ConversationRepository",
    "JoinedAt",
    "MessageRepository",
    "MessageWriter",
    "Page",
    "PresenceStore",
    "RemovalChannel",
    "Rooms",
    "SentKey",
    "Session",
    "TransportSealer",
    "TypingChannel",
    "UserRepository",
    "WriteState",
    "WriterStore",
]
