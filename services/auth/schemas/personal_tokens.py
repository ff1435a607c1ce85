"""Bodies of personal access tokens."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from libs.kernel import SessionId, UserId
from services.auth.domain import PersonalToken
from services.auth.schemas.base import RequestModel, ResponseModel

Scope = Annotated[
    str, StringConstraints(max_length=64, pattern=r"^(admin|[a-z]+:(read|write))$")
]


class PersonalTokenRequest(RequestModel):
    """A new token."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=16)]
    expires_in_days: Annotated[int, Field(ge=1, le=3_660)] = 90


class TokenExchangeRequest(RequestModel):
    """A personal token that is to open a socket."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=128)]


class TokenHashRequest(RequestModel):
    """A token as the gateway asks for it: its hash alone."""

    token_hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class PersonalTokenResponse(ResponseModel):
    """One of the caller's tokens, without its text."""

    token_id: SessionId
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, token: PersonalToken) -> "PersonalTokenResponse":
        """Return the owner's view of a token."""
        return cls(
            token_id=token.token_id,
            name=token.name,
            scopes=list(token.scopes),
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
        )


class NewTokenResponse(PersonalTokenResponse):
    """A new token with its text, shown this once."""

    token: str

    @classmethod
    def of_new(cls, token: PersonalToken, text: str) -> "NewTokenResponse":
        """Return the one view of a token that has its text."""
        return cls(**PersonalTokenResponse.of(token).model_dump(), token=text)


class SocketTokenResponse(ResponseModel):
    """A short access token for a socket."""

    access_token: str
    expires_in: int = Field(description="Seconds until the access token expires.")
    session_id: SessionId = Field(description="The personal token's id.")
    user_id: UserId


class ResolvedTokenResponse(ResponseModel):
    """Whom a personal token speaks for now."""

    user_id: UserId
    token_id: SessionId
    roles: list[str]
    scopes: list[str]
    expires_at: datetime
