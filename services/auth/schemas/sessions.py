"""Bodies of sign-ins, sessions and public keys."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from libs.kernel import SessionId, UserId
from services.auth.domain import (
    Factor,
    Session,
)
from services.auth.schemas.base import RequestModel, ResponseModel
from services.auth.schemas.fields import Email, Password, RefreshTokenText
from services.auth.service import SecondFactorRequired


class LoginRequest(RequestModel):
    """A sign-in."""

    email: Email
    password: Password
    device_name: Annotated[str, StringConstraints(max_length=64)] = ""
    use_cookie: bool = False


class RefreshRequest(RequestModel):
    """A refresh token; browsers leave it out and send their cookie."""

    refresh_token: RefreshTokenText | None = None


class TokenResponse(ResponseModel):
    """Tokens of a session; ``refresh_token`` is null where it is in the cookie."""

    mfa_required: Literal[False] = False
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a kind, no token
    expires_in: int = Field(description="Seconds until the access token expires.")
    refresh_token: str | None
    session_id: SessionId
    user_id: UserId


class SecondFactorResponse(ResponseModel):
    """The first factor is proved and another one is missing: no tokens yet."""

    mfa_required: Literal[True] = True
    pending_token: str = Field(
        description="Opens the routes under /auth/mfa/ until the sign-in is finished."
    )
    factors: list[Factor] = Field(description="What finishes the sign-in.")
    is_enrolment_required: bool = Field(
        description="Whether a factor has to be enrolled first, as none is there."
    )
    expires_in: int = Field(description="Seconds until the pending token expires.")

    @classmethod
    def of(cls, required: SecondFactorRequired) -> "SecondFactorResponse":
        """Return what the client has to do."""
        return cls(
            pending_token=required.pending_token,
            factors=list(required.factors),
            is_enrolment_required=required.is_enrolment,
            expires_in=required.expires_in,
        )


class JwkResponse(ResponseModel):
    """A public Ed25519 key (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]
    x: str


class JwksResponse(ResponseModel):
    """Public keys that check access tokens."""

    keys: list[JwkResponse]


class SessionResponse(ResponseModel):
    """One of the caller's sessions."""

    session_id: SessionId
    device_name: str
    client_address: str = Field(
        description="IP address of the last sign-in or refresh; empty if not known."
    )
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
            client_address=session.client_address,
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            expires_at=session.expires_at,
            is_current=session.session_id == current_id,
        )


class RevokedSession(ResponseModel):
    """A session that has ended."""

    session_id: SessionId
    user_id: UserId
    revoked_at: datetime


class ChangedSessionsResponse(ResponseModel):
    """Sessions that ended since a moment; ``as_of`` goes into the next question."""

    revoked: list[RevokedSession]
    as_of: str
