"""Routes of second factors: finishing a sign-in, setting them up, stepping up."""

from fastapi import APIRouter, Request, Response

from libs.chassis.security import AnyPrincipal, CurrentPrincipal
from libs.kernel import SessionId, UserId
from services.auth.api.client import ClientAddress
from services.auth.api.cookie import enrolled_response, is_web_client, token_response
from services.auth.api.flow_cookie import holder_of
from services.auth.api.restriction import SESSIONS_ONLY
from services.auth.api.state import (
    EnrolmentSignInUse,
    ProviderStepUpUse,
    ReauthenticationUse,
    SecondFactorSettingsUse,
    SecondFactorSignInUse,
)
from services.auth.domain import CeremonyPurpose
from services.auth.schemas import (
    EnrolledResponse,
    FinishRequest,
    PendingCodeRequest,
    PendingRequest,
    RecoveryCodesResponse,
    SecondFactorsResponse,
    StepUpRequest,
    TokenResponse,
    TotpCodeRequest,
    TotpOfferResponse,
)
from services.auth.service import TotpOffer, hash_pending_token

router = APIRouter(
    prefix="/api/v1", tags=["second factors"], dependencies=[SESSIONS_ONLY]
)


@router.post("/auth/mfa/verify")
async def finish_sign_in(
    body: FinishRequest,
    request: Request,
    response: Response,
    _: AnyPrincipal,
    sign_in: SecondFactorSignInUse,
    client_address: ClientAddress = "",
) -> TokenResponse:
    """Finish a pending sign-in with a second factor."""
    signed_in = await sign_in.finish(
        body.pending_token,
        body.proof(
            CeremonyPurpose.SECOND_FACTOR, hash_pending_token(body.pending_token)
        ),
        client_address=client_address,
        is_web_client=is_web_client(request),
    )
    return token_response(signed_in, response)


@router.post("/auth/mfa/totp")
async def offer_totp_while_signing_in(
    body: PendingRequest,
    request: Request,
    response: Response,
    _: AnyPrincipal,
    enrolment: EnrolmentSignInUse,
) -> TotpOfferResponse:
    """Begin to set up an authenticator app where the sign-in requires it."""
    offer = await enrolment.offer_totp(
        body.pending_token, is_web_client=is_web_client(request)
    )
    return _shown_once(offer, response)


@router.post("/auth/mfa/totp/confirm")
async def enrol_while_signing_in(
    body: PendingCodeRequest,
    request: Request,
    response: Response,
    _: AnyPrincipal,
    enrolment: EnrolmentSignInUse,
) -> EnrolledResponse:
    """Put the app to use with a code of it, and finish the sign-in."""
    enrolled = await enrolment.confirm_totp(
        body.pending_token, body.code, is_web_client=is_web_client(request)
    )
    return enrolled_response(enrolled, response)


@router.post("/auth/step-up")
async def step_up(
    *,
    body: StepUpRequest,
    request: Request,
    response: Response,
    principal: CurrentPrincipal,
    reauthentication: ReauthenticationUse,
    by_provider: ProviderStepUpUse,
    client_address: ClientAddress = "",
) -> TokenResponse:
    """Prove who one is once more; the session goes on under a new id."""
    user_id, session_id = UserId(principal.user_id), SessionId(principal.session_id)
    if body.password is not None:
        renewed = await reauthentication.prove_password(
            user_id, session_id, body.password, client_address=client_address
        )
    elif body.oidc_code is not None:
        renewed = await by_provider.prove(
            user_id,
            session_id,
            body.oidc_code,
            holder_of(request, body.code_verifier),
            client_address=client_address,
        )
    else:
        proof = body.proof(CeremonyPurpose.STEP_UP, session_id)
        renewed = await reauthentication.prove_factor(
            user_id, session_id, proof, client_address=client_address
        )
    return token_response(renewed, response)


@router.get("/me/mfa")
async def get_second_factors(
    principal: CurrentPrincipal, settings: SecondFactorSettingsUse
) -> SecondFactorsResponse:
    """Tell what the caller has set up."""
    overview = await settings.overview(UserId(principal.user_id))
    return SecondFactorsResponse.of(overview)


@router.post("/me/mfa/totp")
async def offer_totp(
    response: Response, principal: CurrentPrincipal, settings: SecondFactorSettingsUse
) -> TotpOfferResponse:
    """Begin to set up an authenticator app; nothing changes before a code of it."""
    offer = await settings.offer_totp(
        UserId(principal.user_id), SessionId(principal.session_id)
    )
    return _shown_once(offer, response)


@router.post("/me/mfa/totp/confirm")
async def confirm_totp(
    body: TotpCodeRequest,
    response: Response,
    principal: CurrentPrincipal,
    settings: SecondFactorSettingsUse,
) -> RecoveryCodesResponse:
    """Put the app to use with a code of it; all other sessions end."""
    codes = await settings.confirm_totp(
        UserId(principal.user_id), SessionId(principal.session_id), body.code
    )
    response.headers["Cache-Control"] = "no-store"
    return RecoveryCodesResponse(recovery_codes=list(codes))


@router.delete("/me/mfa/totp", status_code=204)
async def remove_totp(
    principal: CurrentPrincipal, settings: SecondFactorSettingsUse
) -> None:
    """Stop using the app; all other sessions end."""
    await settings.remove_totp(
        UserId(principal.user_id), SessionId(principal.session_id)
    )


@router.post("/me/mfa/recovery-codes")
async def renew_recovery_codes(
    response: Response, principal: CurrentPrincipal, settings: SecondFactorSettingsUse
) -> RecoveryCodesResponse:
    """Return ten new recovery codes; the old ones are void."""
    codes = await settings.renew_recovery_codes(
        UserId(principal.user_id), SessionId(principal.session_id)
    )
    response.headers["Cache-Control"] = "no-store"
    return RecoveryCodesResponse(recovery_codes=list(codes))


def _shown_once(offer: TotpOffer, response: Response) -> TotpOfferResponse:
    response.headers["Cache-Control"] = "no-store"
    return TotpOfferResponse(setup_key=offer.secret, uri=offer.uri)
