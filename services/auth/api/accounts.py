"""Routes of registration, verification and the address, and the public keys."""

from fastapi import APIRouter, Response

from libs.chassis.security import AnyPrincipal
from services.auth.api.client import ClientAddress
from services.auth.api.passwords import short_password_is_malformed
from services.auth.api.restriction import SESSIONS_ONLY
from services.auth.api.state import (
    AccessTokensUse,
    EmailChangeUse,
    EmailStopUse,
    RegistrationUse,
)
from services.auth.schemas import (
    AcceptedResponse,
    JwksResponse,
    LinkRequest,
    RegisterRequest,
    VerificationRequest,
    VerifiedResponse,
    VerifyRequest,
)

router = APIRouter(
    prefix="/api/v1/auth", tags=["accounts"], dependencies=[SESSIONS_ONLY]
)
keys_router = APIRouter(prefix="/api/v1/auth", tags=["accounts"])
"""What checks tokens is asked for without one."""

_JWKS_SECONDS = 60


@router.post("/register", status_code=202)
async def register(
    body: RegisterRequest, _: AnyPrincipal, registration: RegistrationUse
) -> AcceptedResponse:
    """Register an account; a link is sent to the address if it can be used."""
    with short_password_is_malformed("password"):
        await registration.register(
            email=body.email,
            password=body.password,
            display_name=body.display_name,
            locale=body.locale,
        )
    return AcceptedResponse()


@router.post("/verify")
async def verify(
    body: VerifyRequest,
    _: AnyPrincipal,
    registration: RegistrationUse,
    client_address: ClientAddress = "",
) -> VerifiedResponse:
    """Activate the account whose link carried this token; works once.

    The password has to be that of the registration: who registered somebody else's
    address has their link followed by nobody.
    """
    await registration.verify(body.token, body.password, client_address)
    return VerifiedResponse()


@router.post("/verification", status_code=202)
async def request_verification(
    body: VerificationRequest, _: AnyPrincipal, registration: RegistrationUse
) -> AcceptedResponse:
    """Send the link once more, if an account waits for it."""
    await registration.request_verification(email=body.email)
    return AcceptedResponse()


@router.post("/email")
async def confirm_email(
    body: LinkRequest,
    _: AnyPrincipal,
    email_change: EmailChangeUse,
    client_address: ClientAddress = "",
) -> VerifiedResponse:
    """Make the link's address the account's; works once."""
    await email_change.confirm(token=body.token, client_address=client_address)
    return VerifiedResponse()


@router.post("/email/stop", status_code=204)
async def stop_email_change(
    body: LinkRequest,
    _: AnyPrincipal,
    email_stop: EmailStopUse,
    client_address: ClientAddress = "",
) -> None:
    """Take a change of the address back; sessions and password end. Works once."""
    await email_stop.stop(token=body.token, client_address=client_address)


@keys_router.get("/jwks.json")
async def jwks(tokens: AccessTokensUse, response: Response) -> JwksResponse:
    """Return the public keys that check access tokens."""
    response.headers["Cache-Control"] = f"public, max-age={_JWKS_SECONDS}"
    return JwksResponse.model_validate(tokens.jwks())
