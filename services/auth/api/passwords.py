"""Routes of choosing a password."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError

from libs.chassis.security import AnyPrincipal
from services.auth.api.state import PasswordPolicyUse
from services.auth.domain import EmailAddress, EmailInvalidError, PasswordInvalidError
from services.auth.schemas import PasswordStrengthRequest, PasswordStrengthResponse
from services.auth.service import PasswordOwner

router = APIRouter(prefix="/api/v1/auth", tags=["passwords"])


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
