"""Routes of personal access tokens, and the gateway's question about one."""

from typing import Annotated

from fastapi import APIRouter, Response

from libs.chassis.pagination import Limit, Page, cursor_id
from libs.chassis.paths import id_or
from libs.chassis.security import AnyPrincipal, CurrentPrincipal, ServicePrincipal
from libs.kernel import SessionId, UserId
from services.auth.api.restriction import SESSIONS_ONLY
from services.auth.api.sessions import Cursor, cursor_of
from services.auth.api.state import PersonalTokensUse
from services.auth.domain.errors import PersonalTokenMissingError
from services.auth.schemas import (
    NewTokenResponse,
    PersonalTokenRequest,
    PersonalTokenResponse,
    ResolvedTokenResponse,
    SocketTokenResponse,
    TokenExchangeRequest,
    TokenHashRequest,
)
from services.auth.service import TokenWish

router = APIRouter(prefix="/api/v1", tags=["tokens"], dependencies=[SESSIONS_ONLY])
internal = APIRouter(prefix="/internal", tags=["internal"])

TokenPath = Annotated[SessionId, id_or(PersonalTokenMissingError)]


@router.post("/me/tokens", status_code=201)
async def create_token(
    body: PersonalTokenRequest,
    response: Response,
    principal: CurrentPrincipal,
    tokens: PersonalTokensUse,
) -> NewTokenResponse:
    """Make a token for a program; its text is shown this once."""
    wish = TokenWish(body.name, tuple(body.scopes), body.expires_in_days)
    made = await tokens.create(
        UserId(principal.user_id), SessionId(principal.session_id), wish
    )
    response.headers["Cache-Control"] = "no-store"
    return NewTokenResponse.of_new(made.token, made.text)


@router.get("/me/tokens")
async def list_tokens(
    principal: CurrentPrincipal,
    tokens: PersonalTokensUse,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[PersonalTokenResponse]:
    """List the caller's live tokens, oldest first."""
    page = await tokens.list_own(
        UserId(principal.user_id), after=cursor_id(cursor, "after"), limit=limit
    )
    items = [PersonalTokenResponse.of(token) for token in page.items]
    following = items[-1].token_id if page.has_more else None
    return Page(items=items, next_cursor=cursor_of(following))


@router.delete("/me/tokens/{token_id}", status_code=204)
async def revoke_token(
    token_id: TokenPath, principal: CurrentPrincipal, tokens: PersonalTokensUse
) -> None:
    """End one of the caller's tokens; idempotent."""
    await tokens.revoke_own(UserId(principal.user_id), token_id)


@router.post("/auth/token")
async def exchange_token(
    body: TokenExchangeRequest,
    response: Response,
    _: AnyPrincipal,
    tokens: PersonalTokensUse,
) -> SocketTokenResponse:
    """Exchange a personal token for a short access token that opens a socket."""
    access = await tokens.exchange(body.token)
    response.headers["Cache-Control"] = "no-store"
    return SocketTokenResponse(
        access_token=access.access_token,
        expires_in=access.expires_in,
        session_id=access.token.token_id,
        user_id=access.token.user_id,
    )


@internal.post("/personal-tokens")
async def resolve_token(
    body: TokenHashRequest, _: ServicePrincipal, tokens: PersonalTokensUse
) -> ResolvedTokenResponse:
    """Tell the gateway whom a token speaks for; it sends the hash alone."""
    user, token = await tokens.resolve(body.token_hash)
    return ResolvedTokenResponse(
        user_id=user.user_id,
        token_id=token.token_id,
        roles=list(user.roles),
        scopes=list(token.scopes),
        expires_at=token.expires_at,
    )
