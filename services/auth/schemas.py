"""What goes over the wire, in and out: closed models with bounded fields."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from libs.kernel import SessionId, UserId
from services.auth.domain import (
    PASSWORD_CODE_POINTS_MAX,
    PASSWORD_CODE_POINTS_MIN,
    Session,
    User,
)

Email = Annotated[str, StringConstraints(min_length=3, max_length=254)]
NewPassword = Annotated[
    str,
    StringConstraints(
        min_length=PASSWORD_CODE_POINTS_MIN, max_length=PASSWORD_CODE_POINTS_MAX
    ),
]
Password = Annotated[
    str, StringConstraints(min_length=1, max_length=PASSWORD_CODE_POINTS_MAX)
]
DisplayName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Locale = Annotated[str, StringConstraints(min_length=2, max_length=16)]
MailToken = Annotated[str, StringConstraints(min_length=1, max_length=128)]
RefreshTokenText = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RegisterRequest(_Request):
    """A new account."""

    email: Email
    password: NewPassword
    display_name: DisplayName
    locale: Locale = "en"


class VerifyRequest(_Request):
    """The token from the link."""

    token: MailToken


class VerificationRequest(_Request):
    """Ask for the link once more."""

    email: Email


class LoginRequest(_Request):
    """A sign-in."""

    email: Email
    password: Password
    device_name: Annotated[str, StringConstraints(max_length=64)] = ""
    use_cookie: bool = False


class RefreshRequest(_Request):
    """A refresh token; browsers leave it out and send their cookie."""

    refresh_token: RefreshTokenText | None = None


class ProfileRequest(_Request):
    """Fields of the profile to change; a field that is left out stays."""

    display_name: DisplayName = ""
    locale: Locale = ""
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = ""
    status_text: Annotated[str, StringConstraints(max_length=280)] = ""


class HandleRequest(_Request):
    """The handle to take."""

    handle: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class AcceptedResponse(_Response):
    """The same whatever was found."""

    status: Literal["accepted"] = "accepted"


class VerifiedResponse(_Response):
    """The account is active."""

    is_verified: Literal[True] = True


class TokenResponse(_Response):
    """Tokens of a session; ``refresh_token`` is null where it is in the cookie."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a kind, no token
    expires_in: int = Field(description="Seconds until the access token expires.")
    refresh_token: str | None
    session_id: SessionId
    user_id: UserId


class JwkResponse(_Response):
    """A public Ed25519 key (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]
    x: str


class JwksResponse(_Response):
    """Public keys that check access tokens."""

    keys: list[JwkResponse]


class ProfileResponse(_Response):
    """What everyone may see of a user."""

    user_id: UserId
    display_name: str
    handle: str | None
    time_zone: str
    status_text: str
    avatar_document_id: str | None
    is_active: bool

    @classmethod
    def of(cls, user: User) -> "ProfileResponse":
        """Return the public part of a user."""
        return cls(
            user_id=user.user_id,
            display_name=user.display_name,
            handle=user.handle,
            time_zone=user.time_zone,
            status_text=user.status_text,
            avatar_document_id=user.avatar_document_id,
            is_active=user.may_sign_in,
        )


class MeResponse(_Response):
    """What the caller may see of themselves."""

    user_id: UserId
    email: str
    status: str
    display_name: str
    handle: str | None
    locale: str
    time_zone: str
    status_text: str
    avatar_document_id: str | None
    roles: list[str]
    revision: int
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> "MeResponse":
        """Return the own view of a user."""
        return cls(
            user_id=user.user_id,
            email=user.email.written,
            status=user.status.value,
            display_name=user.display_name,
            handle=user.handle,
            locale=user.locale,
            time_zone=user.time_zone,
            status_text=user.status_text,
            avatar_document_id=user.avatar_document_id,
            roles=list(user.roles),
            revision=user.revision,
            created_at=user.created_at,
        )


class SessionResponse(_Response):
    """One of the caller's sessions."""

    session_id: SessionId
    device_name: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    is_current: bool

    @classmethod
    def of(cls, session: Session, current_id: str | None) -> "SessionResponse":
        """Return the owner's view of a session."""
        return cls(
            session_id=session.session_id,
            device_name=session.device_name,
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            expires_at=session.expires_at,
            is_current=session.session_id == current_id,
        )


class RevokedSession(_Response):
    """A session that has ended."""

    session_id: SessionId
    user_id: UserId
    revoked_at: datetime


class ChangedSessionsResponse(_Response):
    """Sessions that ended since a moment; ``as_of`` goes into the next question."""

    revoked: list[RevokedSession]
    as_of: str
