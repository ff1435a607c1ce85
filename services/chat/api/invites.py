"""Routes of links by which somebody comes in."""

from datetime import timedelta

from fastapi import APIRouter

from libs.chassis.pagination import (
    DEFAULT_LIMIT,
    Limit,
    Page,
    cursor_id,
    encode_cursor,
)
from services.chat.api.dependencies import (
    Caller,
    ConversationPath,
    Cursor,
    InvitePath,
    InvitesUse,
)
from services.chat.domain.invite import InviteTerms
from services.chat.schemas import (
    AcceptInvite,
    ConversationResource,
    CreatedInvite,
    CreateInvite,
    InviteResource,
)

router = APIRouter(prefix="/api/v1/conversations", tags=["members"])


@router.post("/invites/accept")
async def accept_invite(
    body: AcceptInvite, caller: Caller, invites: InvitesUse
) -> ConversationResource:
    """Come in by a link."""
    return ConversationResource.of(await invites.accept(caller, body.token))


@router.post("/{conversation_id}/invites", status_code=201)
async def create_invite(
    conversation_id: ConversationPath,
    body: CreateInvite,
    caller: Caller,
    invites: InvitesUse,
) -> CreatedInvite:
    """Make a link; its token is shown only now."""
    terms = InviteTerms(
        role=body.role,
        lifetime=timedelta(seconds=body.expires_in_seconds),
        uses_max=body.uses_max,
    )
    invite, token = await invites.create(caller, conversation_id, terms)
    return CreatedInvite.with_token(invite, token)


@router.get("/{conversation_id}/invites")
async def list_invites(
    conversation_id: ConversationPath,
    caller: Caller,
    invites: InvitesUse,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[InviteResource]:
    """List the links that have not expired, the oldest first."""
    after = cursor_id(cursor, "after") or ""
    found, following = await invites.page(
        caller, conversation_id, after=after, limit=limit
    )
    return Page[InviteResource](
        items=[InviteResource.of(invite) for invite in found],
        next_cursor=None if following is None else encode_cursor({"after": following}),
    )


@router.delete("/{conversation_id}/invites/{invite_id}", status_code=204)
async def revoke_invite(
    conversation_id: ConversationPath,
    invite_id: InvitePath,
    caller: Caller,
    invites: InvitesUse,
) -> None:
    """Make a link worthless; who came in by it stays."""
    await invites.revoke(caller, conversation_id, invite_id)
