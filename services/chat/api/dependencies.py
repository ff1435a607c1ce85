"""What the routes of chat ask for: use cases, the caller, ids of the path.

All of them are coroutines: the framework takes a thread for each plain function.
"""

from typing import Annotated, TypedDict

from fastapi import Depends, Path, Query, Request

from libs.chassis.audit import Refusals
from libs.chassis.security import CurrentPrincipal
from libs.kernel import (
    ConversationId,
    MessageId,
    UserId,
    is_id,
)
from services.chat.domain.errors import (
    BanNotFoundError,
    ConversationNotFoundError,
    InviteNotFoundError,
    MemberNotFoundError,
    MessageNotFoundError,
)
from services.chat.service.avatars import Avatars
from services.chat.service.bans import Bans
from services.chat.service.conversations import Conversations
from services.chat.service.deletion import Deletion
from services.chat.service.invites import Invites
from services.chat.service.markers import ReadMarkers
from services.chat.service.members import Members
from services.chat.service.membership_core import MembershipCore
from services.chat.service.message_core import MessageCore
from services.chat.service.openings import Openings
from services.chat.service.own_core import OwnCore
from services.chat.service.presence_core import PresenceCore
from services.chat.service.public_channels import PublicChannels
from services.chat.service.roles import Roles
from services.chat.service.sync import Sync


class ChatState(TypedDict):
    """What the lifespan yields; it becomes ``request.state``."""

    membership: MembershipCore
    talk: MessageCore
    sync: Sync
    markers: ReadMarkers
    own: OwnCore
    presence: PresenceCore
    refusals: Refusals


async def _conversations(request: Request) -> Conversations:
    found: Conversations = request.state.membership.conversations
    return found


async def _openings(request: Request) -> Openings:
    found: Openings = request.state.membership.openings
    return found


async def _avatars(request: Request) -> Avatars:
    found: Avatars = request.state.membership.avatars
    return found


async def _members(request: Request) -> Members:
    found: Members = request.state.membership.members
    return found


async def _roles(request: Request) -> Roles:
    found: Roles = request.state.membership.roles
    return found


async def _bans(request: Request) -> Bans:
    found: Bans = request.state.membership.bans
    return found


async def _talk(request: Request) -> MessageCore:
    found: MessageCore = request.state.talk
    return found


async def _sync(request: Request) -> Sync:
    found: Sync = request.state.sync
    return found


async def _markers(request: Request) -> ReadMarkers:
    found: ReadMarkers = request.state.markers
    return found


def _own(request: Request) -> OwnCore:
    found: OwnCore = request.state.own
    return found


_IdPath = Annotated[str, Path(min_length=1, max_length=64)]


async def _conversation_id(conversation_id: _IdPath) -> ConversationId:
    if not is_id(conversation_id):
        raise ConversationNotFoundError  # what cannot be an id does not exist
    return ConversationId(conversation_id)


async def _message_id(message_id: _IdPath) -> MessageId:
    if not is_id(message_id):
        raise MessageNotFoundError
    return MessageId(message_id)


async def _member_id(user_id: _IdPath) -> UserId:
    if not is_id(user_id):
        raise MemberNotFoundError
    return UserId(user_id)


async def _presence(request: Request) -> PresenceCore:
    found: PresenceCore = request.state.presence
    return found


async def _invites(request: Request) -> Invites:
    found: Invites = request.state.membership.invites
    return found


async def _public_channels(request: Request) -> PublicChannels:
    found: PublicChannels = request.state.membership.public_channels
    return found


async def _deletion(request: Request) -> Deletion:
    found: Deletion = request.state.membership.deletion
    return found


async def _invite_id(invite_id: _IdPath) -> str:
    if not is_id(invite_id):
        raise InviteNotFoundError
    return invite_id


async def _banned_id(user_id: _IdPath) -> UserId:
    if not is_id(user_id):
        raise BanNotFoundError
    return UserId(user_id)


async def _caller(principal: CurrentPrincipal) -> UserId:
    return UserId(principal.user_id)


ConversationsUse = Annotated[Conversations, Depends(_conversations)]
OpeningsUse = Annotated[Openings, Depends(_openings)]
AvatarsUse = Annotated[Avatars, Depends(_avatars)]
MembersUse = Annotated[Members, Depends(_members)]
RolesUse = Annotated[Roles, Depends(_roles)]
BansUse = Annotated[Bans, Depends(_bans)]
TalkUse = Annotated[MessageCore, Depends(_talk)]
SyncUse = Annotated[Sync, Depends(_sync)]
OwnUse = Annotated[OwnCore, Depends(_own)]
PresenceUse = Annotated[PresenceCore, Depends(_presence)]
MarkersUse = Annotated[ReadMarkers, Depends(_markers)]
Caller = Annotated[UserId, Depends(_caller)]
ConversationPath = Annotated[ConversationId, Depends(_conversation_id)]
MessagePath = Annotated[MessageId, Depends(_message_id)]
InvitesUse = Annotated[Invites, Depends(_invites)]
PublicChannelsUse = Annotated[PublicChannels, Depends(_public_channels)]
DeletionUse = Annotated[Deletion, Depends(_deletion)]
InvitePath = Annotated[str, Depends(_invite_id)]
BannedPath = Annotated[UserId, Depends(_banned_id)]
MemberPath = Annotated[UserId, Depends(_member_id)]
Cursor = Annotated[str | None, Query(max_length=256)]
SeqBound = Annotated[int | None, Query(ge=0, le=2**53)]
Revision = Annotated[int, Query(ge=0, le=2**53)]
