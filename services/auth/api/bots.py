"""Routes of bots; suspending and deleting one is that of any account."""

from typing import Annotated

from fastapi import APIRouter, Response

from libs.chassis.pagination import Limit, Page, cursor_id
from libs.chassis.paths import id_or
from libs.kernel import SessionId, UserId
from services.auth.api.actor import CurrentActor
from services.auth.api.restriction import ADMINISTRATION
from services.auth.api.sessions import Cursor, cursor_of
from services.auth.api.state import BotsUse
from services.auth.domain import BotWish
from services.auth.domain.errors import (
    BotMissingError,
    PersonalTokenMissingError,
)
from services.auth.schemas import (
    BotRequest,
    BotTokenRequest,
    ListedUserResponse,
    NewTokenResponse,
    PersonalTokenResponse,
    ReasonRequest,
)
from services.auth.service import TokenWish

router = APIRouter(
    prefix="/api/v1/admin/bots", tags=["bots"], dependencies=[ADMINISTRATION]
)

BotPath = Annotated[UserId, id_or(BotMissingError)]
TokenPath = Annotated[SessionId, id_or(PersonalTokenMissingError)]


@router.post("", status_code=201)
async def create_bot(
    body: BotRequest, actor: CurrentActor, bots: BotsUse
) -> ListedUserResponse:
    """Make an account for a program; nobody signs in to it."""
    wish = BotWish(body.display_name, body.handle, body.role)
    return ListedUserResponse.of(await bots.create(actor, wish, body.reason))


@router.get("")
async def list_bots(
    actor: CurrentActor, bots: BotsUse, limit: Limit = 50, cursor: Cursor = None
) -> Page[ListedUserResponse]:
    """List the bots of any status."""
    after = cursor_id(cursor, "after")
    page = await bots.all(actor, after=after, limit=limit)
    items = [ListedUserResponse.of(bot) for bot in page.items]
    following = items[-1].user_id if page.has_more else None
    return Page(items=items, next_cursor=cursor_of(following))


@router.get("/{bot_id}")
async def get_bot(
    bot_id: BotPath, actor: CurrentActor, bots: BotsUse
) -> ListedUserResponse:
    """Return a bot and who owns it."""
    return ListedUserResponse.of(await bots.get(actor, bot_id))


@router.post("/{bot_id}/tokens", status_code=201)
async def create_bot_token(
    bot_id: BotPath,
    body: BotTokenRequest,
    response: Response,
    actor: CurrentActor,
    bots: BotsUse,
) -> NewTokenResponse:
    """Make a token of a bot; its text is shown this once."""
    wish = TokenWish(body.name, tuple(body.scopes), body.expires_in_days)
    made = await bots.create_token(actor, bot_id, wish, body.reason)
    response.headers["Cache-Control"] = "no-store"
    return NewTokenResponse.of_new(made.token, made.text)


@router.get("/{bot_id}/tokens")
async def list_bot_tokens(
    bot_id: BotPath,
    actor: CurrentActor,
    bots: BotsUse,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[PersonalTokenResponse]:
    """List a bot's live tokens, oldest first."""
    after = cursor_id(cursor, "after")
    page = await bots.tokens_of(actor, bot_id, after=after, limit=limit)
    items = [PersonalTokenResponse.of(token) for token in page.items]
    following = items[-1].token_id if page.has_more else None
    return Page(items=items, next_cursor=cursor_of(following))


@router.post("/{bot_id}/tokens/{token_id}/revoke", status_code=204)
async def revoke_bot_token(
    bot_id: BotPath,
    token_id: TokenPath,
    body: ReasonRequest,
    actor: CurrentActor,
    bots: BotsUse,
) -> None:
    """End a token of a bot, its sockets too; idempotent."""
    await bots.revoke_token(actor, bot_id, token_id, body.reason)
