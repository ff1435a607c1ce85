"""Bodies of invitations."""

from datetime import datetime
from typing import Literal, Self, cast

from services.auth.domain import Invite
from services.auth.schemas.base import RequestModel, ResponseModel
from services.auth.schemas.fields import (
    DisplayName,
    Email,
    Locale,
    MailToken,
    NewPassword,
)

InvitedRole = Literal["member", "guest"]


class InviteRequest(RequestModel):
    """Whom to ask in."""

    email: Email
    role: InvitedRole = "member"
    locale: Locale = "en"


class AcceptInviteRequest(RequestModel):
    """The token from the invitation, and the account that it opens."""

    token: MailToken
    password: NewPassword
    display_name: DisplayName
    locale: Locale = "en"


class InviteResponse(ResponseModel):
    """An invitation that waits."""

    invite_id: str
    email: str
    role: InvitedRole
    inviter_id: str
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, invite: Invite) -> Self:
        """Return what an inviter sees."""
        return cls(
            invite_id=invite.invite_id,
            email=invite.email.written,
            role=cast("InvitedRole", invite.role),
            inviter_id=invite.inviter_id,
            created_at=invite.created_at,
            expires_at=invite.expires_at,
        )
