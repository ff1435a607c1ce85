"""Wire models of invites."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from libs.kernel import UserId
from services.chat.domain.conversation import Role
from services.chat.domain.invite import Invite
from services.chat.schemas.fields import RequestModel

_WEEK_SECONDS = 7 * 24 * 3600


class CreateInvite(RequestModel):
    """Body of POST /conversations/{id}/invites."""

    role: Role = Role.MEMBER
    expires_in_seconds: int = Field(default=_WEEK_SECONDS, ge=1, strict=True)
    uses_max: Annotated[int, Field(ge=1, strict=True)] | None = None


class AcceptInvite(RequestModel):
    """Body of POST /conversations/invites/accept."""

    token: str = Field(min_length=1, max_length=128)


class InviteResource(BaseModel):
    """A link, without what makes it one."""

    invite_id: str
    role: Role
    created_by: UserId
    created_at: datetime
    expires_at: datetime
    uses_max: int | None
    uses: int

    @classmethod
    def of(cls, invite: Invite) -> Self:
        """Return an invite as it is shown."""
        return cls(**_shown(invite))


class CreatedInvite(InviteResource):
    """A new link with its token, which nobody can ask for again."""

    token: str

    @classmethod
    def with_token(cls, invite: Invite, token: str) -> Self:
        """Return an invite as it is shown once."""
        return cls(**_shown(invite), token=token)


def _shown(invite: Invite) -> dict[str, Any]:
    return {name: getattr(invite, name) for name in InviteResource.model_fields}
