"""Routes of invitations."""

from typing import Annotated

from fastapi import APIRouter

from libs.chassis.pagination import Limit, Page, cursor_id
from libs.chassis.paths import id_or
from libs.chassis.security import AnyPrincipal, CurrentPrincipal
from libs.kernel import UserId
from services.auth.api.client import ClientAddress
from services.auth.api.passwords import short_password_is_malformed
from services.auth.api.restriction import SESSIONS_ONLY
from services.auth.api.sessions import Cursor, cursor_of
from services.auth.api.state import InvitationsUse
from services.auth.domain.errors import InviteMissingError
from services.auth.schemas import (
    AcceptInviteRequest,
    InviteRequest,
    InviteResponse,
    VerifiedResponse,
)

router = APIRouter(prefix="/api/v1", tags=["invites"], dependencies=[SESSIONS_ONLY])

InvitePath = Annotated[str, id_or(InviteMissingError)]


@router.post("/invites", status_code=201)
async def invite_to_account(
    body: InviteRequest, principal: CurrentPrincipal, invitations: InvitationsUse
) -> InviteResponse:
    """Ask somebody in by mail."""
    made = await invitations.invite(
        UserId(principal.user_id),
        principal.roles,
        email=body.email,
        role=body.role,
        locale=body.locale,
    )
    return InviteResponse.of(made)


@router.get("/invites")
async def list_account_invites(
    principal: CurrentPrincipal,
    invitations: InvitationsUse,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[InviteResponse]:
    """List invitations that wait: the caller's, an administrator everybody's."""
    page = await invitations.list_waiting(
        UserId(principal.user_id),
        principal.roles,
        after=cursor_id(cursor, "after"),
        limit=limit,
    )
    items = [InviteResponse.of(waiting) for waiting in page.items]
    following = items[-1].invite_id if page.has_more else None
    return Page(items=items, next_cursor=cursor_of(following))


@router.delete("/invites/{invite_id}", status_code=204)
async def revoke_account_invite(
    invite_id: InvitePath, principal: CurrentPrincipal, invitations: InvitationsUse
) -> None:
    """Void an invitation."""
    await invitations.revoke(UserId(principal.user_id), principal.roles, invite_id)


@router.post("/auth/invite")
async def accept_account_invite(
    body: AcceptInviteRequest,
    _: AnyPrincipal,
    invitations: InvitationsUse,
    client_address: ClientAddress = "",
) -> VerifiedResponse:
    """Open the invited account; works once and signs nobody in."""
    with short_password_is_malformed("password"):
        await invitations.accept(
            token=body.token,
            password=body.password,
            display_name=body.display_name,
            locale=body.locale,
            client_address=client_address,
        )
    return VerifiedResponse()
