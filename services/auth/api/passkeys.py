"""Routes of passkeys: both ceremonies, as second factor and alone."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from libs.chassis.paths import id_or
from libs.chassis.security import AnyPrincipal, CurrentPrincipal
from libs.kernel import SessionId, UserId
from services.auth.api.client import ClientAddress
from services.auth.api.cookie import (
    check_origin,
    enrolled_response,
    is_web_client,
    token_response,
)
from services.auth.api.restriction import SESSIONS_ONLY
from services.auth.api.state import (
    EnrolmentSignInUse,
    PasskeysUse,
    SecondFactorSignInUse,
)
from services.auth.domain import (
    CeremonyPurpose,
    ClientDevice,
)
from services.auth.domain.errors import SecondFactorMissingError
from services.auth.schemas import (
    EnrolledResponse,
    PasskeyAddedResponse,
    PasskeyLoginRequest,
    PasskeyNameRequest,
    PasskeyOptionsResponse,
    PasskeyRequest,
    PasskeyResponse,
    PendingPasskeyRequest,
    PendingRequest,
    TokenResponse,
)

router = APIRouter(prefix="/api/v1", tags=["passkeys"], dependencies=[SESSIONS_ONLY])

PasskeyPath = Annotated[str, id_or(SecondFactorMissingError)]


@router.post("/auth/passkey/options")
async def begin_sign_in(
    response: Response, _: AnyPrincipal, passkeys: PasskeysUse
) -> PasskeyOptionsResponse:
    """Begin a sign-in with a passkey alone; the same for everybody (EN-1)."""
    response.headers["Cache-Control"] = "no-store"
    options = await passkeys.begin(CeremonyPurpose.SIGN_IN, binding="")
    return PasskeyOptionsResponse(options=options)


@router.post("/auth/passkey/login")
async def login_with_passkey(
    body: PasskeyLoginRequest,
    request: Request,
    response: Response,
    _: AnyPrincipal,
    passkeys: PasskeysUse,
    client_address: ClientAddress = "",
) -> TokenResponse:
    """Start a session by a passkey that checked its holder."""
    if body.use_cookie:
        check_origin(request)
    device = ClientDevice(body.device_name, client_address, body.use_cookie)
    signed_in = await passkeys.sign_in(body.credential.document(), device)
    return token_response(signed_in, response)


@router.post("/auth/mfa/verify/options")
async def begin_second_factor(
    body: PendingRequest,
    request: Request,
    response: Response,
    _: AnyPrincipal,
    sign_in: SecondFactorSignInUse,
    passkeys: PasskeysUse,
) -> PasskeyOptionsResponse:
    """Begin to finish a pending sign-in with a passkey."""
    waiting = await sign_in.look(
        body.pending_token, is_web_client=is_web_client(request)
    )
    response.headers["Cache-Control"] = "no-store"
    options = await passkeys.begin(
        CeremonyPurpose.SECOND_FACTOR, waiting.token_hash, waiting.user_id
    )
    return PasskeyOptionsResponse(options=options)


@router.post("/auth/mfa/passkeys/options")
async def begin_registration_while_signing_in(
    body: PendingRequest,
    request: Request,
    response: Response,
    _: AnyPrincipal,
    enrolment: EnrolmentSignInUse,
) -> PasskeyOptionsResponse:
    """Begin to register a passkey where the sign-in requires a factor."""
    response.headers["Cache-Control"] = "no-store"
    options = await enrolment.offer_passkey(
        body.pending_token, is_web_client=is_web_client(request)
    )
    return PasskeyOptionsResponse(options=options)


@router.post("/auth/mfa/passkeys")
async def register_while_signing_in(
    body: PendingPasskeyRequest,
    request: Request,
    response: Response,
    _: AnyPrincipal,
    enrolment: EnrolmentSignInUse,
) -> EnrolledResponse:
    """Register a passkey, and finish the sign-in."""
    enrolled = await enrolment.add_passkey(
        body.pending_token,
        body.name,
        body.credential.document(),
        is_web_client=is_web_client(request),
    )
    return enrolled_response(enrolled, response)


@router.post("/auth/step-up/options")
async def begin_step_up(
    response: Response, principal: CurrentPrincipal, passkeys: PasskeysUse
) -> PasskeyOptionsResponse:
    """Begin to prove oneself again with a passkey."""
    response.headers["Cache-Control"] = "no-store"
    options = await passkeys.begin(
        CeremonyPurpose.STEP_UP, principal.session_id, UserId(principal.user_id)
    )
    return PasskeyOptionsResponse(options=options)


@router.post("/me/mfa/passkeys/options")
async def begin_registration(
    response: Response, principal: CurrentPrincipal, passkeys: PasskeysUse
) -> PasskeyOptionsResponse:
    """Begin to register a passkey."""
    response.headers["Cache-Control"] = "no-store"
    options = await passkeys.offer(
        UserId(principal.user_id), SessionId(principal.session_id)
    )
    return PasskeyOptionsResponse(options=options)


@router.post("/me/mfa/passkeys", status_code=201)
async def add_passkey(
    body: PasskeyRequest,
    response: Response,
    principal: CurrentPrincipal,
    passkeys: PasskeysUse,
) -> PasskeyAddedResponse:
    """Register a passkey; all other sessions end."""
    added = await passkeys.add(
        UserId(principal.user_id),
        SessionId(principal.session_id),
        body.name,
        body.credential.document(),
    )
    response.headers["Cache-Control"] = "no-store"
    return PasskeyAddedResponse(
        passkey=PasskeyResponse.of(added.passkey),
        recovery_codes=list(added.recovery_codes),
    )


@router.patch("/me/mfa/passkeys/{passkey_id}")
async def rename_passkey(
    passkey_id: PasskeyPath,
    body: PasskeyNameRequest,
    principal: CurrentPrincipal,
    passkeys: PasskeysUse,
) -> PasskeyResponse:
    """Give one of the caller's passkeys another name."""
    user_id = UserId(principal.user_id)
    return PasskeyResponse.of(await passkeys.rename(user_id, passkey_id, body.name))


@router.delete("/me/mfa/passkeys/{passkey_id}", status_code=204)
async def remove_passkey(
    passkey_id: PasskeyPath, principal: CurrentPrincipal, passkeys: PasskeysUse
) -> None:
    """Forget a passkey; all other sessions end."""
    await passkeys.remove(
        UserId(principal.user_id), SessionId(principal.session_id), passkey_id
    )
