"""Wire models of members."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field, model_validator

from libs.kernel import UserId
from services.chat.domain.conversation import Role
from services.chat.schemas.fields import IdText, RequestModel


class AddMember(RequestModel):
    """Body of POST /conversations/{id}/members: who, by id or by handle."""

    user_id: IdText | None = None
    handle: str | None = Field(default=None, min_length=1, max_length=64)
    role: Role = Role.MEMBER

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.user_id is None) == (self.handle is None):
            raise ValueError("give user_id or handle")
        return self


class ChangeRole(RequestModel):
    """Body of PATCH /conversations/{id}/members/{user_id}."""

    role: Role


class TransferOwnership(RequestModel):
    """Body of POST /conversations/{id}/owner."""

    user_id: IdText


class MemberResource(BaseModel):
    """A membership; one that ended is not active."""

    user_id: UserId
    role: Role
    joined_at: datetime
    read_seq: int
    is_active: bool
    revision: int


class ListedMemberResource(MemberResource):
    """A membership in the list of members."""

    is_bot: bool


class ReceiptResource(BaseModel):
    """Who has read a message: the marker is at it or above."""

    user_id: str
    read_seq: int
