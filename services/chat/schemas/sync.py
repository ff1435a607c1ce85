"""Wire models of catching up and of read markers."""

from typing import Self

from pydantic import BaseModel

from services.chat.ports import Changes
from services.chat.schemas.conversations import ConversationBase
from services.chat.schemas.fields import RequestModel, SeqNumber
from services.chat.schemas.members import MemberResource
from services.chat.schemas.messages import MessageResource
from services.chat.service.wire import conversation_wire, member_wire, message_wire


class ReadUpTo(RequestModel):
    """Body of PUT /conversations/{id}/read."""

    seq: SeqNumber


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
