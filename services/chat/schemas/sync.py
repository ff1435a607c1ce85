"""Wire models of catching up and of read markers."""

from typing import Annotated, Self

from pydantic import BaseModel, Field

from services.chat.ports import Changes
from services.chat.schemas.conversations import ConversationBase, ConversationResource
from services.chat.schemas.fields import IdText, RequestModel, SeqNumber
from services.chat.schemas.members import MemberResource
from services.chat.schemas.messages import MessageResource
from services.chat.schemas.own import OwnChangesResource
from services.chat.service.catchup import CaughtUp
from services.chat.service.catchup_wire import caught_up_wire, changes_wire

KnownRevision = Annotated[int, Field(ge=0, le=2**53, strict=True)]


class ReadUpTo(RequestModel):
    """Body of PUT /conversations/{id}/read."""

    seq: SeqNumber


class ChangesPage(BaseModel):
    """The current state of all that changed; ask again from `revision`."""

    conversation: ConversationBase | None
    members: list[MemberResource]
    messages: list[MessageResource]
    revision: int
    has_more: bool


class ChangesResource(ChangesPage):
    """What changed of one conversation."""

    conversation_id: str

    @classmethod
    def of(cls, conversation_id: str, changes: Changes) -> Self:
        """Return changes as they are shown."""
        wire = {"conversation_id": conversation_id, **changes_wire(changes)}
        return cls.model_validate(wire)


class CatchUpFrom(RequestModel):
    """Body of POST /sync: the revisions that the client has, some or all of them."""

    conversations: dict[IdText, KnownRevision] = Field(
        default_factory=dict, max_length=500
    )
    user_revision: KnownRevision | None = None


class MovedResource(BaseModel):
    """A conversation that is ahead of the client."""

    conversation_id: str
    revision: int
    last_seq: int
    read_seq: int
    unread: int
    unread_mentions: int | None
    changes: ChangesPage | None


class CaughtUpResource(BaseModel):
    """What a client has to learn; ask again while there is more."""

    own: OwnChangesResource | None
    joined: list[ConversationResource]
    moved: list[MovedResource]
    removed: list[str]
    reset: list[str]
    has_more: bool

    @classmethod
    def of(cls, answer: CaughtUp) -> Self:
        """Return an answer as it is shown."""
        return cls.model_validate(caught_up_wire(answer))


class ReadMarker(BaseModel):
    """A member's read marker."""

    conversation_id: str
    read_seq: int
    unread: int
