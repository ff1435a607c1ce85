"""Wire models of the HTTP interface."""

from services.chat.schemas.bans import BanResource, BanUser
from services.chat.schemas.conversations import (
    ChangeConversation,
    ConversationBase,
    ConversationResource,
    OpenConversation,
)
from services.chat.schemas.members import (
    AddMember,
    ChangeRole,
    MemberResource,
    TransferOwnership,
)
from services.chat.schemas.messages import (
    EditMessage,
    MessagePage,
    MessageResource,
    ReactionResource,
    SendMessage,
    SentMessage,
)
from services.chat.schemas.sync import ChangesResource, ReadMarker, ReadUpTo

__all__ = [
    "AddMember",
    "BanResource",
    "BanUser",
    "ChangeConversation",
    "ChangeRole",
    "ChangesResource",
    "ConversationBase",
    "ConversationResource",
    "EditMessage",
    "MemberResource",
    "MessagePage",
    "MessageResource",
    "OpenConversation",
    "ReactionResource",
    "ReadMarker",
    "ReadUpTo",
    "SendMessage",
    "SentMessage",
    "TransferOwnership",
]
