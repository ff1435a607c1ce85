"""Routes of choosing a password, and of the caller's password and address."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError

from libs.chassis.security import AnyPrincipal, CurrentPrincipal
from libs.kernel import SessionId, UserId
from services.auth.api.client import ClientAddress
from services.auth.api.restriction import SESSIONS_ONLY
from services.auth.api.state import EmailChangeUse, PasswordChangeUse, PasswordPolicyUse
from services.auth.domain import EmailAddress
from services.auth.domain.errors import (
    EmailInvalidError,
    PasswordInvalidError,
)
from services.auth.schemas import (
    AcceptedResponse,
    PasswordRequest,
    PasswordStrengthRequest,
    PasswordStrengthResponse,
    ResetRequest,
    VerificationRequest,
)
from services.auth.service import PasswordOwner

router = APIRouter(
    prefix="/api/v1/auth", tags=["passwords"], dependencies=[SESSIONS_ONLY]
)
own_router = APIRouter(
    prefix="/api/v1/me", tags=["passwords"], dependencies=[SESSIONS_ONLY]
)


@router.post("/password-strength")
async def estimate_password(
    body: PasswordStrengthRequest, _: AnyPrincipal, policy: PasswordPolicyUse
) -> PasswordStrengthResponse:
    """Estimate a password before it is chosen; nothing of it is kept."""
    owner = PasswordOwner(_address(body.email), body.display_name)
    strength = await policy.strength(body.password, owner)
    try:
        await policy.check(body.password, owner)
    except PasswordInvalidError as error:
        return PasswordStrengthResponse.of(strength, error.rule)
    return PasswordStrengthResponse.of(strength, None)


@router.post("/forgot", status_code=202)
async def forgot_password(
    body: VerificationRequest, _: AnyPrincipal, passwords: PasswordChangeUse
) -> AcceptedResponse:
    """Send a link to choose a new password, if the address has an account."""
    await passwords.request_reset(email=body.email)
    return AcceptedResponse()


@router.post("/reset", status_code=204)
async def reset_password(
    body: ResetRequest,
    _: AnyPrincipal,
    passwords: PasswordChangeUse,
    client_address: ClientAddress = "",
) -> None:
    """Set the password of the link's account; every session of it ends."""
    with short_password_is_malformed("password"):
        await passwords.reset(
            token=body.token, password=body.password, client_address=client_address
        )


@own_router.put("/password", status_code=204)
async def change_password(
    body: PasswordRequest,
    principal: CurrentPrincipal,
    passwords: PasswordChangeUse,
    client_address: ClientAddress = "",
) -> None:
    """Set another password; every other session of the caller ends."""
    with short_password_is_malformed("new_password"):
        await passwords.change(
            UserId(principal.user_id),
            SessionId(principal.session_id),
            current=body.current_password,
            new=body.new_password,
            client_address=client_address,
        )


@own_router.put("/email", status_code=202)
async def change_email(
    body: VerificationRequest, principal: CurrentPrincipal, email_change: EmailChangeUse
) -> AcceptedResponse:
    """Send a link to a new address of the caller, and a word to the old one."""
    await email_change.request(
        UserId(principal.user_id), SessionId(principal.session_id), email=body.email
    )
    return AcceptedResponse()


@contextmanager
def short_password_is_malformed(field: str) -> Iterator[None]:
    """Answer a password under the policy's minimum as one under the schema's (PW-2).

    Args:
        field: Name of the password in the body.

    Raises:
        RequestValidationError: 422 ``request_invalid``, in place of a too short
            password's ``password_invalid``.
    """
    try:
        yield
    except PasswordInvalidError as error:
        if error.rule != "too_short":
            raise
        message = f"String should have at least {error.limit} characters"
        raise RequestValidationError(
            [{"type": "string_too_short", "loc": ("body", field), "msg": message}]
        ) from None


def _address(text: str) -> EmailAddress | None:
    try:
        return EmailAddress.parse(text)
    except EmailInvalidError:
        return None  # it is being typed
