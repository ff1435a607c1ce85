"""Routes of registration, verification and the address, and the public keys."""

from fastapi import APIRouter, Response

from libs.chassis.security import AnyPrincipal
from services.auth.api.client import ClientAddress
from services.auth.api.passwords import short_password_is_malformed
from services.auth.api.restriction import SESSIONS_ONLY
from services.auth.api.state import AccessTokensUse, EmailChangeUse, RegistrationUse
from services.auth.schemas import (
    AcceptedResponse,
    JwksResponse,
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
    """Activate the account whose link carried this token; works once."""
    await registration.verify(body.token, client_address)
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
    body: VerifyRequest,
    _: AnyPrincipal,
    email_change: EmailChangeUse,
    client_address: ClientAddress = "",
) -> VerifiedResponse:
    """Make the link's address the account's; works once."""
    await email_change.confirm(token=body.token, client_address=client_address)
    return VerifiedResponse()


@keys_router.get("/jwks.json")
async def jwks(tokens: AccessTokensUse, response: Response) -> JwksResponse:
    """Return the public keys that check access tokens."""
    response.headers["Cache-Control"] = f"public, max-age={_JWKS_SECONDS}"
    return JwksResponse.model_validate(tokens.jwks())
