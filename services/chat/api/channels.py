"""Routes of channels that are listed, and open to join."""

from typing import Annotated

from fastapi import APIRouter, Depends

from libs.chassis.pagination import (
    DEFAULT_LIMIT,
    Limit,
    Page,
    cursor_id,
    encode_cursor,
)
from libs.chassis.security import CurrentPrincipal
from libs.kernel import ProjectId, is_id
from services.chat.api.dependencies import (
    Caller,
    ConversationPath,
    Cursor,
    PublicChannelsUse,
)
from services.chat.domain.errors import ProjectNotFoundError
from services.chat.schemas import ConversationResource, ListedChannel

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])


async def _is_guest(principal: CurrentPrincipal) -> bool:
    """Guests of the installation come in where they are brought."""
    return "guest" in principal.roles


async def _project_id(project_id: str | None = None) -> ProjectId | None:
    if project_id is None:
        return None
    if not is_id(project_id):
        raise ProjectNotFoundError
    return ProjectId(project_id)


IsGuest = Annotated[bool, Depends(_is_guest)]
OfProject = Annotated[ProjectId | None, Depends(_project_id)]


@router.get("/channels")
async def list_channels(
    caller: Caller,
    is_guest: IsGuest,
    channels: PublicChannelsUse,
    *,
    project_id: OfProject,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ListedChannel]:
    """List public channels of a project, or of the whole installation."""
    after = cursor_id(cursor, "after") or ""
    found, following = await channels.page(
        caller, project_id, is_guest=is_guest, after=after, limit=limit
    )
    return Page[ListedChannel](
        items=[ListedChannel.of(listed) for listed in found],
        next_cursor=None if following is None else encode_cursor({"after": following}),
    )


@router.post("/{conversation_id}/join")
async def join_channel(
    conversation_id: ConversationPath,
    caller: Caller,
    is_guest: IsGuest,
    channels: PublicChannelsUse,
) -> ConversationResource:
    """Come into a public channel as a member."""
    membership = await channels.join(caller, conversation_id, is_guest=is_guest)
    return ConversationResource.of(membership)
