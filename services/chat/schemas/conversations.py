"""Wire models of conversations."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from services.chat.domain.conversation import (
    ConversationKind,
    HistoryVisibility,
    Role,
)
from services.chat.schemas.fields import IdText, RequestModel
from services.chat.service.conversations import Membership
from services.chat.service.public_channels import Listed
from services.chat.service.wire import conversation_wire, seen_wire


class OpenConversation(RequestModel):
    """Body of POST /conversations."""

    kind: ConversationKind
    title: str | None = Field(default=None, max_length=1_000)
    member_ids: list[IdText] = Field(default_factory=list, max_length=1_000)
    project_id: IdText | None = None
    topic: str | None = Field(default=None, max_length=4_000)
    avatar_document_id: IdText | None = None
    history_visibility: HistoryVisibility = HistoryVisibility.ALL
    slow_mode_seconds: int = Field(default=0, ge=0, strict=True)
    is_announcement_only: bool = False
    has_receipts: bool = True
    is_public: bool = False
    retention_days: int | None = Field(default=None, ge=1, strict=True)


class ChangeConversation(RequestModel):
    """Body of PATCH /conversations/{id}; what is absent stays.

    ``null`` takes topic or avatar away, and leaves retention to the installation;
    elsewhere it is as if absent.
    """

    title: str | None = Field(default=None, max_length=1_000)
    topic: str | None = Field(default=None, max_length=4_000)
    avatar_document_id: IdText | None = None
    history_visibility: HistoryVisibility | None = None
    slow_mode_seconds: int | None = Field(default=None, ge=0, strict=True)
    is_announcement_only: bool | None = None
    has_receipts: bool | None = None
    is_public: bool | None = None
    retention_days: int | None = Field(default=None, ge=1, strict=True)
    is_archived: bool | None = None


class ConversationBase(BaseModel):
    """A conversation without anything of one member's own."""

    conversation_id: str
    kind: ConversationKind
    title: str | None
    topic: str | None
    avatar_document_id: str | None
    project_id: str | None
    created_by: str | None
    created_at: datetime
    first_seq: int
    last_seq: int
    last_message_at: datetime | None
    revision: int
    is_archived: bool
    retention_days: int | None
    direct_user_ids: list[str]
    history_visibility: HistoryVisibility
    slow_mode_seconds: int
    is_announcement_only: bool
    has_receipts: bool
    is_public: bool


class ListedChannel(ConversationBase):
    """A public channel, and whether the caller is in it."""

    is_member: bool

    @classmethod
    def of(cls, listed: Listed) -> Self:
        """Return a public channel as it is listed."""
        shown = conversation_wire(listed.conversation)
        return cls.model_validate({**shown, "is_member": listed.is_member})


class ConversationResource(ConversationBase):
    """A conversation as one member sees it."""

    role: Role
    read_seq: int
    unread: int
    first_unread_seq: int | None
    visible_from_seq: int

    @classmethod
    def of(cls, membership: Membership) -> Self:
        """Return a conversation as its member sees it."""
        wire = seen_wire(membership.conversation, membership.member)
        return cls.model_validate(wire)
