"""Wire models of the HTTP interface."""

from services.chat.schemas.bans import BanResource, BanUser
from services.chat.schemas.conversations import (
    ChangeConversation,
    ConversationBase,
    ConversationResource,
    ListedChannel,
    OpenConversation,
)
from services.chat.schemas.invites import (
    AcceptInvite,
    CreatedInvite,
    CreateInvite,
    InviteResource,
)
from services.chat.schemas.members import (
    AddMember,
    ChangeRole,
    MemberResource,
    ReceiptResource,
    TransferOwnership,
)
from services.chat.schemas.messages import (
    EditMessage,
    MessagePage,
    MessageResource,
    ReactionResource,
    SendMessage,
    SentMessage,
    VersionResource,
    message_resource,
    sent_message,
)
from services.chat.schemas.own import (
    BookmarkResource,
    DraftResource,
    MuteResource,
    OwnBookmarkResource,
    OwnChangesResource,
    OwnMembershipResource,
    SaveBookmark,
    SaveDraft,
    SetMute,
)
from services.chat.schemas.sync import (
    CatchUpFrom,
    CaughtUpResource,
    ChangesResource,
    ReadMarker,
    ReadUpTo,
)

__all__ = [
    "AcceptInvite",
    "AddMember",
    "BanResource",
    "BanUser",
    "BookmarkResource",
    "CatchUpFrom",
    "CaughtUpResource",
    "ChangeConversation",
    "ChangeRole",
    "ChangesResource",
    "ConversationBase",
    "ConversationResource",
    "CreateInvite",
    "CreatedInvite",
    "DraftResource",
    "EditMessage",
    "InviteResource",
    "ListedChannel",
    "MemberResource",
    "MessagePage",
    "MessageResource",
    "MuteResource",
    "OpenConversation",
    "OwnBookmarkResource",
    "OwnChangesResource",
    "OwnMembershipResource",
    "ReactionResource",
    "ReadMarker",
    "ReadUpTo",
    "ReceiptResource",
    "SaveBookmark",
    "SaveDraft",
    "SendMessage",
    "SentMessage",
    "SetMute",
    "TransferOwnership",
    "VersionResource",
    "message_resource",
    "sent_message",
]
