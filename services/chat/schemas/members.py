"""Wire models of members."""

from datetime import datetime

from pydantic import BaseModel

from libs.kernel import UserId
from services.chat.domain.conversation import Role
from services.chat.schemas.fields import IdText, RequestModel


class AddMember(RequestModel):
    """Body of POST /conversations/{id}/members."""

    user_id: IdText
    role: Role = Role.MEMBER


class MemberResource(BaseModel):
    """A membership; one that ended is not active."""

    user_id: UserId
    role: Role
    joined_at: datetime
    read_seq: int
    is_active: bool
    revision: int
