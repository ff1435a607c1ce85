"""Routes of the identities that may sign in to one's account."""

from fastapi import APIRouter, Request

from libs.chassis.security import CurrentPrincipal
from libs.kernel import SessionId, UserId
from services.auth.api.client import ClientAddress
from services.auth.api.flow_cookie import holder_of
from services.auth.api.restriction import SESSIONS_ONLY
from services.auth.api.state import ProviderJourneyUse, ProviderLinksUse
from services.auth.schemas import CodeRequest, IdentitiesResponse, IdentityResponse

router = APIRouter(
    prefix="/api/v1/me/identities", tags=["providers"], dependencies=[SESSIONS_ONLY]
)


@router.get("")
async def list_identities(
    principal: CurrentPrincipal, links: ProviderLinksUse, journey: ProviderJourneyUse
) -> IdentitiesResponse:
    """List the identities that may sign in to the caller's account."""
    linked = await links.list_own(UserId(principal.user_id))
    names = {one.provider_id: one.name for one in journey.providers}
    return IdentitiesResponse(
        items=[
            # One whose provider is not configured any more still may be removed.
            IdentityResponse(
                provider_id=provider_id,
                name=names.get(provider_id, provider_id),
                linked_at=linked_at,
            )
            for provider_id, linked_at in sorted(linked.items())
        ]
    )


@router.post("", status_code=204)
async def link_identity(
    body: CodeRequest,
    request: Request,
    principal: CurrentPrincipal,
    links: ProviderLinksUse,
    client_address: ClientAddress = "",
) -> None:
    """Let the identity of a one-time code sign in; needs a fresh proof."""
    await links.link(
        UserId(principal.user_id),
        SessionId(principal.session_id),
        body.code,
        holder_of(request, body.code_verifier),
        client_address,
    )


@router.delete("/{provider_id}", status_code=204)
async def unlink_identity(
    provider_id: str,
    principal: CurrentPrincipal,
    links: ProviderLinksUse,
    client_address: ClientAddress = "",
) -> None:
    """Take an identity's way in away; needs a fresh proof."""
    await links.unlink(
        UserId(principal.user_id),
        SessionId(principal.session_id),
        provider_id,
        client_address,
    )
