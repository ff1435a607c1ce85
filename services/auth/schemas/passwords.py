"""Bodies of choosing a password."""

from typing import Annotated, Literal, Self, cast

from pydantic import Field, StringConstraints

from services.auth.schemas.base import RequestModel, ResponseModel
from services.auth.schemas.fields import MailToken, NewPassword, Password
from services.auth.service import PasswordStrength

PasswordRule = Literal["too_short", "too_long", "not_text", "listed", "personal"]


class PasswordRequest(RequestModel):
    """Another password; the current one proves who asks."""

    current_password: Password
    new_password: NewPassword


class ResetRequest(RequestModel):
    """The token from the link, and the password that is to be."""

    token: MailToken
    password: NewPassword


class PasswordStrengthRequest(RequestModel):
    """A password that may be chosen, and what is known of its owner."""

    password: Password
    email: Annotated[str, StringConstraints(max_length=254)] = ""
    display_name: Annotated[str, StringConstraints(max_length=128)] = ""


class PasswordStrengthResponse(ResponseModel):
    """How hard it is to guess, and whether it may be chosen."""

    score: int = Field(ge=0, le=4, description="0: guessed at once; 4: very hard.")
    is_accepted: bool
    rule: PasswordRule | None = Field(description="Why it may not be chosen.")
    warning: str
    suggestions: list[str]

    @classmethod
    def of(cls, strength: PasswordStrength, rule: str | None) -> Self:
        """Return an estimate and the rule that the password breaks."""
        return cls(
            score=strength.score,
            is_accepted=rule is None,
            rule=cast("PasswordRule | None", rule),
            warning=strength.warning,
            suggestions=list(strength.suggestions),
        )
