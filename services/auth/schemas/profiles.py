"""Bodies of profiles."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from libs.kernel import UserId
from services.auth.domain import User
from services.auth.schemas.base import RequestModel, ResponseModel
from services.auth.schemas.fields import DisplayName, Locale


class ProfileRequest(RequestModel):
    """Fields of the profile to change; a field that is left out stays."""

    display_name: DisplayName = ""
    locale: Locale = ""
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = ""
    status_text: Annotated[str, StringConstraints(max_length=280)] = ""


class HandleRequest(RequestModel):
    """The handle to take."""

    handle: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class AvatarRequest(RequestModel):
    """The picture to show: a document that the caller uploaded to media."""

    document_id: Annotated[str, StringConstraints(min_length=36, max_length=36)]


class ProfileResponse(ResponseModel):
    """What everyone may see of a user."""

    user_id: UserId
    display_name: str
    handle: str | None
    time_zone: str
    status_text: str
    avatar_document_id: str | None
    is_active: bool
    is_bot: bool

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
            is_bot=user.is_bot,
        )


class MeResponse(ResponseModel):
    """What the caller may see of themselves."""

    user_id: UserId
    email: str | None = Field(description="None for a bot.")
    status: str
    display_name: str
    handle: str | None
    locale: str
    time_zone: str
    status_text: str
    avatar_document_id: str | None
    roles: list[str]
    is_bot: bool
    revision: int
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> "MeResponse":
        """Return the own view of a user."""
        return cls(
            user_id=user.user_id,
            email=user.email.written or None,
            is_bot=user.is_bot,
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
