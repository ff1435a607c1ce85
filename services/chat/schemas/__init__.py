"""Wire models of the HTTP interface."""

from services.chat.schemas.conversations import (
    ChangeConversation,
    ConversationBase,
    ConversationResource,
    OpenConversation,
)
from services.chat.schemas.members import AddMember, MemberResource
from services.chat.schemas.messages import (
    EditMessage,
    MessagePage,
    MessageResource,
    SendMessage,
    SentMessage,
)
from services.chat.schemas.sync import ChangesResource, ReadMarker, ReadUpTo

__all__ = [
    "AddMember",
    "ChangeConversation",
    "ChangesResource",
    "ConversationBase",
    "ConversationResource",
    "EditMessage",
    "MemberResource",
    "MessagePage",
    "MessageResource",
    "OpenConversation",
    "ReadMarker",
    "ReadUpTo",
    "SendMessage",
    "SentMessage",
]
