"""Routes of who may not come in."""

from fastapi import APIRouter

from libs.chassis.pagination import (
    DEFAULT_LIMIT,
    Limit,
    Page,
    cursor_id,
    encode_cursor,
)
from libs.kernel import UserId
from services.chat.api.dependencies import (
    BannedPath,
    BansUse,
    Caller,
    ConversationPath,
    Cursor,
)
from services.chat.schemas import BanResource, BanUser

router = APIRouter(prefix="/api/v1/conversations", tags=["members"])


@router.get("/{conversation_id}/bans")
async def list_bans(
    conversation_id: ConversationPath,
    caller: Caller,
    bans: BansUse,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[BanResource]:
    """List who is banned, by user id."""
    after = cursor_id(cursor, "after") or ""
    found, following = await bans.page(
        caller, conversation_id, after=after, limit=limit
    )
    return Page[BanResource](
        items=[BanResource.of(ban) for ban in found],
        next_cursor=None if following is None else encode_cursor({"after": following}),
    )


@router.post("/{conversation_id}/bans", status_code=201)
async def ban_user(
    conversation_id: ConversationPath, body: BanUser, caller: Caller, bans: BansUse
) -> BanResource:
    """Keep somebody out, and take them out if they are in."""
    return BanResource.of(await bans.ban(caller, conversation_id, UserId(body.user_id)))


@router.delete("/{conversation_id}/bans/{user_id}", status_code=204)
async def lift_ban(
    conversation_id: ConversationPath,
    user_id: BannedPath,
    caller: Caller,
    bans: BansUse,
) -> None:
    """Let somebody come in again."""
    await bans.lift(caller, conversation_id, user_id)
