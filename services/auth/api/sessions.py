"""Routes of signing in, staying signed in and signing out."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from libs.chassis.pagination import Limit, Page, cursor_id, encode_cursor
from libs.chassis.paths import id_or
from libs.chassis.security import AnyPrincipal, CurrentPrincipal
from libs.kernel import SessionId, UserId
from services.auth.api.client import ClientAddress
from services.auth.api.cookie import (
    check_origin,
    drop_refresh_cookie,
    entered_response,
    read_refresh_cookie,
    token_response,
)
from services.auth.api.restriction import SESSIONS_ONLY
from services.auth.api.state import RenewalUse, SessionControlUse, SignInUse, StepUpUse
from services.auth.domain import (
    ClientDevice,
    RevokeReason,
)
from services.auth.domain.errors import (
    RefreshTokenInvalidError,
    SessionMissingError,
)
from services.auth.schemas import (
    LoginRequest,
    RefreshRequest,
    SecondFactorResponse,
    SessionResponse,
    TokenResponse,
)

router = APIRouter(prefix="/api/v1", tags=["sessions"], dependencies=[SESSIONS_ONLY])

Cursor = Annotated[str | None, Query(max_length=256)]
SessionPath = Annotated[SessionId, id_or(SessionMissingError)]


@router.post("/auth/login")
async def login(
    body: LoginRequest,
    request: Request,
    response: Response,
    _: AnyPrincipal,
    sign_in: SignInUse,
    client_address: ClientAddress = "",
) -> TokenResponse | SecondFactorResponse:
    """Start a session with address and password, or ask for a second factor."""
    if body.use_cookie:
        check_origin(request)
    entered = await sign_in.login(
        email=body.email,
        password=body.password,
        device=ClientDevice(body.device_name, client_address, body.use_cookie),
    )
    return entered_response(entered, response)


@router.post("/auth/refresh")
async def refresh(
    *,
    request: Request,
    response: Response,
    _: AnyPrincipal,
    renewal: RenewalUse,
    body: RefreshRequest | None = None,
    client_address: ClientAddress = "",
) -> TokenResponse:
    """Spend a refresh token for new tokens; from the body, else from the cookie."""
    token = _refresh_token(body, request)
    if token is None:
        raise RefreshTokenInvalidError
    return token_response(await renewal.refresh(token, client_address), response)


@router.post("/auth/logout", status_code=204)
async def logout(
    *,
    request: Request,
    response: Response,
    principal: AnyPrincipal,
    renewal: RenewalUse,
    control: SessionControlUse,
    body: RefreshRequest | None = None,
) -> None:
    """End the session of the access token, and that of the refresh token."""
    token = _refresh_token(body, request)
    if principal.is_user:
        with suppress(SessionMissingError):  # it is long gone: signed out all the same
            await control.revoke_own(
                UserId(principal.user_id),
                SessionId(principal.session_id),
                RevokeReason.LOGOUT,
            )
    if token is not None:
        await renewal.logout(token)
    drop_refresh_cookie(response)


@router.get("/me/sessions")
async def list_sessions(
    principal: CurrentPrincipal,
    control: SessionControlUse,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[SessionResponse]:
    """List the caller's live sessions, oldest first."""
    page = await control.list_own(
        UserId(principal.user_id), after=cursor_id(cursor, "after"), limit=limit
    )
    items = [SessionResponse.of(own, principal.session_id) for own in page.items]
    following = items[-1].session_id if page.has_more else None
    return Page(items=items, next_cursor=cursor_of(following))


@router.delete("/me/sessions", status_code=204)
async def revoke_other_sessions(
    principal: CurrentPrincipal, control: SessionControlUse, step_up: StepUpUse
) -> None:
    """End all of the caller's sessions but this one; needs a fresh proof (SR-5)."""
    own = SessionId(principal.session_id)
    await step_up.require(UserId(principal.user_id), own)
    await control.revoke_others(UserId(principal.user_id), own)


@router.delete("/me/sessions/{session_id}", status_code=204)
async def revoke_session(
    session_id: SessionPath,
    principal: CurrentPrincipal,
    control: SessionControlUse,
    step_up: StepUpUse,
) -> None:
    """End one of the caller's sessions; another one needs a fresh proof (SR-5)."""
    if session_id != principal.session_id:
        await step_up.require(
            UserId(principal.user_id), SessionId(principal.session_id)
        )
    await control.revoke_own(
        UserId(principal.user_id), session_id, RevokeReason.REVOKED
    )


def cursor_of(after: str | None) -> str | None:
    """Return the cursor of the page after an id, None where there is no more."""
    return None if after is None else encode_cursor({"after": after})


def _refresh_token(body: RefreshRequest | None, request: Request) -> str | None:
    if body is not None and body.refresh_token is not None:
        return body.refresh_token
    return read_refresh_cookie(request)
