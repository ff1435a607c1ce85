"""Wire models of the HTTP interface."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from libs.kernel import UserId
from services.chat.domain.conversation import ConversationKind, Role, unread_count
from services.chat.ports import Changes, Page
from services.chat.service.conversations import Membership
from services.chat.service.wire import conversation_wire, member_wire, message_wire

IdText = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
    ),
]
SeqNumber = Annotated[int, Field(ge=1, le=2**53, strict=True)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class OpenConversation(_Request):
    """Body of POST /conversations."""

    kind: ConversationKind
    title: str | None = Field(default=None, max_length=1_000)
    member_ids: list[IdText] = Field(default_factory=list, max_length=1_000)
    project_id: IdText | None = None


class ChangeConversation(_Request):
    """Body of PATCH /conversations/{id}; what is absent stays."""

    title: str | None = Field(default=None, max_length=1_000)
    is_archived: bool | None = None


class AddMember(_Request):
    """Body of POST /conversations/{id}/members."""

    user_id: IdText
    role: Role = Role.MEMBER


class SendMessage(_Request):
    """Body of POST /conversations/{id}/messages."""

    client_message_id: IdText
    text: str = Field(max_length=64_000)
    attachments: list[IdText] = Field(default_factory=list, max_length=200)
    mentions: list[IdText] = Field(default_factory=list, max_length=200)
    reply_to_seq: SeqNumber | None = None


class EditMessage(_Request):
    """Body of PATCH /conversations/{id}/messages/{message_id}."""

    text: str = Field(max_length=64_000)
    mentions: list[IdText] = Field(default_factory=list, max_length=200)


class ReadUpTo(_Request):
    """Body of PUT /conversations/{id}/read."""

    seq: SeqNumber


class MessageResource(BaseModel):
    """A message; `text` is null in a tombstone."""

    message_id: str
    client_message_id: str
    seq: int
    revision: int
    sender_id: str
    sent_at: datetime
    text: str | None
    attachments: list[str]
    mentions: list[str]
    reply_to_seq: int | None
    is_deleted: bool
    edited_at: datetime | None


class SentMessage(BaseModel):
    """A message with its place, as it is delivered live too."""

    conversation_id: str
    revision: int
    message: MessageResource


class MessagePage(BaseModel):
    """A page of history in the order of seq."""

    items: list[MessageResource]
    has_more: bool

    @classmethod
    def of(cls, page: Page) -> Self:
        """Return a page as it is shown."""
        items = [MessageResource.model_validate(message_wire(m)) for m in page.messages]
        return cls(items=items, has_more=page.has_more)


class ConversationBase(BaseModel):
    """A conversation without anything of one member's own."""

    conversation_id: str
    kind: ConversationKind
    title: str | None
    project_id: str | None
    created_by: str | None
    created_at: datetime
    last_seq: int
    revision: int
    is_archived: bool
    direct_user_ids: list[str]


class ConversationResource(ConversationBase):
    """A conversation as one member sees it."""

    role: Role
    read_seq: int
    unread: int

    @classmethod
    def of(cls, membership: Membership) -> Self:
        """Return a conversation as its member sees it."""
        conversation, member = membership.conversation, membership.member
        return cls.model_validate(
            {
                **conversation_wire(conversation),
                "role": member.role,
                "read_seq": member.read_seq,
                "unread": unread_count(conversation, member),
            }
        )


class MemberResource(BaseModel):
    """A membership; one that ended is not active."""

    user_id: UserId
    role: Role
    joined_at: datetime
    read_seq: int
    is_active: bool
    revision: int


class ChangesResource(BaseModel):
    """The current state of all that changed; ask again from `revision`."""

    conversation_id: str
    conversation: ConversationBase | None
    members: list[MemberResource]
    messages: list[MessageResource]
    revision: int
    has_more: bool

    @classmethod
    def of(cls, conversation_id: str, changes: Changes) -> Self:
        """Return changes as they are shown."""
        own = changes.conversation
        return cls.model_validate(
            {
                "conversation_id": conversation_id,
                "conversation": None if own is None else conversation_wire(own),
                "members": [member_wire(m) for m in changes.members],
                "messages": [message_wire(m) for m in changes.messages],
                "revision": changes.revision,
                "has_more": changes.has_more,
            }
        )


class ReadMarker(BaseModel):
    """A member's read marker."""

    conversation_id: str
    read_seq: int
    unread: int
