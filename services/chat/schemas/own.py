"""Wire models of what belongs to one user."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, Field

from services.chat.domain.conversation import Role
from services.chat.domain.personal import Mute, MuteLevel, SavedDraft
from services.chat.ports import OwnChanges
from services.chat.schemas.fields import RequestModel
from services.chat.schemas.messages import MessageResource
from services.chat.service.bookmarks import Marked
from services.chat.service.catchup_wire import own_changes_wire
from services.chat.service.own_items import bookmark_wire, draft_wire, mute_wire
from services.chat.service.wire import message_wire

ThreadSeq = Annotated[int, Field(ge=0, le=2**53, strict=True)]


class SaveDraft(RequestModel):
    """Body of PUT /conversations/{id}/draft; the server's order decides."""

    text: str = Field(max_length=20_000)
    thread_seq: ThreadSeq = 0


class SaveBookmark(RequestModel):
    """Body of PUT /conversations/{id}/messages/{id}/bookmark."""

    note: str | None = Field(default=None, max_length=4_000)


class SetMute(RequestModel):
    """Body of PUT /conversations/{id}/mute; without `until` for ever."""

    level: MuteLevel
    until: AwareDatetime | None = None


class MuteResource(BaseModel):
    """What of a conversation notifies its member, and until when."""

    level: MuteLevel
    until: datetime | None

    @classmethod
    def of(cls, mute: Mute) -> Self:
        """Return a mute as it is shown."""
        return cls.model_validate(mute_wire(mute))


class OwnMembershipResource(BaseModel):
    """A membership as its own user sees it; one that ended is not active.

    Another `joined_revision` than before: the user was out in between, so a client
    subscribes again.
    """

    conversation_id: str
    role: Role
    joined_at: datetime
    joined_revision: int
    read_seq: int
    is_active: bool
    mute: MuteResource
    user_revision: int


class DraftResource(BaseModel):
    """A draft; one that was cleared has no text."""

    conversation_id: str
    thread_seq: int
    text: str | None
    saved_at: datetime
    is_cleared: bool
    user_revision: int

    @classmethod
    def of(cls, draft: SavedDraft) -> Self:
        """Return a draft as it is shown."""
        return cls.model_validate(draft_wire(draft))


class OwnBookmarkResource(BaseModel):
    """A bookmark without its message; one that was removed stays."""

    conversation_id: str
    message_id: str
    seq: int
    note: str | None
    added_at: datetime
    is_removed: bool
    user_revision: int


class BookmarkResource(OwnBookmarkResource):
    """A bookmark with its message, which is null where it is not to be seen."""

    is_available: bool
    message: MessageResource | None

    @classmethod
    def of(cls, marked: Marked) -> Self:
        """Return a bookmark as it is shown."""
        message = marked.message
        return cls.model_validate(
            {
                **bookmark_wire(marked.bookmark),
                "is_available": message is not None,
                "message": None if message is None else message_wire(message),
            }
        )


class OwnThreadResource(BaseModel):
    """What a user has to do with a thread; `read_seq` never goes back.

    Answering moves it without a revision: take it from your own message then.
    """

    conversation_id: str
    thread_seq: int
    is_following: bool
    read_seq: int
    user_revision: int


class OwnChangesResource(BaseModel):
    """The current state of all of one's own that changed; ask from `user_revision`."""

    memberships: list[OwnMembershipResource]
    drafts: list[DraftResource]
    bookmarks: list[OwnBookmarkResource]
    threads: list[OwnThreadResource]
    user_revision: int
    has_more: bool

    @classmethod
    def of(cls, changes: OwnChanges) -> Self:
        """Return changes as they are shown."""
        return cls.model_validate(own_changes_wire(changes))
