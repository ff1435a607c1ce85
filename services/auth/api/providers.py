"""Routes of signing in with an OpenID provider."""

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from libs.chassis.security import AnyPrincipal
from services.auth.api.client import ClientAddress
from services.auth.api.cookie import check_origin, entered_response
from services.auth.api.flow_cookie import (
    check_navigation,
    drop_flow_cookie,
    holder_of,
    read_flow_cookie,
    set_flow_cookie,
)
from services.auth.api.state import (
    ProviderJourneyUse,
    ProviderLogoutUse,
    ProviderSignInUse,
)
from services.auth.domain import (
    ClientDevice,
    FlowPurpose,
)
from services.auth.domain.errors import (
    LogoutTokenInvalidError,
    ProviderSignInInvalidError,
)
from services.auth.schemas import (
    ExchangeRequest,
    ProviderResponse,
    ProvidersResponse,
    SecondFactorResponse,
    TokenResponse,
)
from services.auth.service import Answer, Arrival

router = APIRouter(prefix="/api/v1/auth/oidc", tags=["providers"])
logout_router = APIRouter(prefix="/api/v1/auth/backchannel-logout", tags=["providers"])
"""Apart: one address sends all of a provider's, so they are not limited as sign-ins."""

_FORM_FIELDS_MAX = 10
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "logout_token": {"type": "string", "maxLength": 65_536}
                    },
                    "required": ["logout_token"],
                }
            }
        },
    }
}

Path = Annotated[str | None, Query(max_length=256)]
Address = Annotated[str | None, Query(max_length=512)]
Challenge = Annotated[str, Query(max_length=64)]
Text = Annotated[str, Query(max_length=512)]
Code = Annotated[str, Query(max_length=4096)]


@router.get("")
async def list_providers(
    _: AnyPrincipal, journey: ProviderJourneyUse
) -> ProvidersResponse:
    """List the providers that people may sign in with."""
    return ProvidersResponse(
        providers=[
            ProviderResponse(provider_id=one.provider_id, name=one.name)
            for one in journey.providers
        ]
    )


@router.get("/{provider_id}/start", status_code=302)
async def start(
    *,
    provider_id: str,
    request: Request,
    _: AnyPrincipal,
    journey: ProviderJourneyUse,
    return_to: Path = None,
    purpose: FlowPurpose = FlowPurpose.SIGN_IN,
    redirect_uri: Address = None,
    code_challenge: Challenge = "",
    state: Text = "",
) -> RedirectResponse:
    """Send a browser to a provider; it comes back with a one-time code.

    Browsers give ``return_to``, else they come back to the first page of the setting.
    Native clients give ``redirect_uri``, ``code_challenge`` (S256) and ``state``.
    """
    check_navigation(request)
    redirects = journey.redirects
    if redirect_uri is not None:
        destination = redirects.client(redirect_uri, code_challenge, state)
    elif return_to is not None:
        destination = redirects.browser(return_to)
    else:
        destination = redirects.fallback
    departure = await journey.start(provider_id, destination, purpose)
    response = _redirect(departure.address, 302)
    set_flow_cookie(response, departure.binding)
    return response


@router.get("/{provider_id}/callback", status_code=303)
async def callback(
    *,
    provider_id: str,
    request: Request,
    _: AnyPrincipal,
    journey: ProviderJourneyUse,
    state: Text = "",
    code: Code = "",
    error: Text = "",
    iss: Address = None,
) -> RedirectResponse:
    """Take a browser back from a provider and send it on, with a code or an error."""
    answer = Answer(
        state=state,
        binding=read_flow_cookie(request),
        code=code,
        error=error,
        issuer=iss,
    )
    try:
        arrival = await journey.finish(provider_id, answer)
    except ProviderSignInInvalidError as refused:
        fallback = journey.redirects.fallback
        arrival = Arrival(fallback, FlowPurpose.SIGN_IN, error=refused.code)
    return _redirect(arrival.address, 303)


@router.post("/exchange")
async def exchange(
    body: ExchangeRequest,
    request: Request,
    response: Response,
    _: AnyPrincipal,
    sign_in: ProviderSignInUse,
    client_address: ClientAddress = "",
) -> TokenResponse | SecondFactorResponse:
    """Start a session with a one-time code, or ask for a second factor."""
    if body.use_cookie:
        check_origin(request)
    entered = await sign_in.sign_in(
        body.code,
        holder_of(request, body.code_verifier),
        ClientDevice(body.device_name, client_address, body.use_cookie),
    )
    drop_flow_cookie(response)
    return entered_response(entered, response)


@logout_router.post("/{provider_id}", openapi_extra=_FORM)
async def backchannel_logout(
    provider_id: str,
    request: Request,
    response: Response,
    _: AnyPrincipal,
    logout: ProviderLogoutUse,
) -> None:
    """End the sessions that a provider's logout token names."""
    response.headers["Cache-Control"] = "no-store"
    await logout.end(provider_id, _logout_token(await request.body()))


def _logout_token(body: bytes) -> str:
    try:
        fields = parse_qsl(
            body.decode("ascii"), strict_parsing=True, max_num_fields=_FORM_FIELDS_MAX
        )
    except ValueError:
        raise LogoutTokenInvalidError from None
    tokens = [value for name, value in fields if name == "logout_token"]
    if len(tokens) != 1:
        raise LogoutTokenInvalidError
    return tokens[0]


def _redirect(address: str, status: int) -> RedirectResponse:
    return RedirectResponse(address, status, {"Cache-Control": "no-store"})
