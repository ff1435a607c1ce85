"""Bodies of registration and verification."""

from typing import Literal

from services.auth.schemas.base import RequestModel, ResponseModel
from services.auth.schemas.fields import (
    DisplayName,
    Email,
    Locale,
    MailToken,
    NewPassword,
    Password,
)


class RegisterRequest(RequestModel):
    """A new account."""

    email: Email
    password: NewPassword
    display_name: DisplayName
    locale: Locale = "en"


class LinkRequest(RequestModel):
    """The token from the link."""

    token: MailToken


class VerifyRequest(LinkRequest):
    """The token from the link, and the password of the registration that it is for."""

    password: Password


class VerificationRequest(RequestModel):
    """Ask for the link once more."""

    email: Email


class AcceptedResponse(ResponseModel):
    """The same whatever was found."""

    status: Literal["accepted"] = "accepted"


class VerifiedResponse(ResponseModel):
    """The account is active."""

    is_verified: Literal[True] = True
