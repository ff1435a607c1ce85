"""Where messages are kept, and what changed among them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.conversation import Conversation, Member
from services.chat.domain.message import Message
from services.chat.ports.session import Session


class Page(msgspec.Struct, frozen=True):
    """Messages in the order of their seq, and whether the side asked has more."""

    messages: tuple[Message, ...]
    has_more: bool


class PinnedAt(NamedTuple):
    """A place in a conversation's list of pinned messages."""

    pinned_at: datetime
    message_id: MessageId


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of all that changed after a revision.

    Attributes:
        conversation: Where its own fields changed, else None.
        revision: What to ask from next time.
        has_more: Whether to ask again at once.
    """

    conversation: Conversation | None
    members: tuple[Member, ...]
    messages: tuple[Message, ...]
    revision: int
    has_more: bool


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation and what changed in it, as they were at one moment.

    Read one after the other, a message that changes in between would be neither in
    its old state nor in its new one.
    """

    conversation: Conversation
    messages: tuple[Message, ...]
    members: tuple[Member, ...]


class MessageRepository(Protocol):
    """Messages, opened."""

    async def get(
        self,
        conversation_id: ConversationId,
        message_id: MessageId,
        *,
        session: Session = None,
    ) -> Message | None:
        """Return a message of the conversation, or None."""
        ...

    async def get_by_seq(
        self, conversation_id: ConversationId, seq: int, *, session: Session = None
    ) -> Message | None:
        """Return the message with a seq, or None."""
        ...

    async def find_sent(
        self, conversation_id: ConversationId, sender_id: UserId, client_message_id: str
    ) -> Message | None:
        """Return what a client's message became, never to be rolled back, or None."""
        ...

    async def sent_page(
        self,
        conversation_id: ConversationId,
        sender_id: UserId,
        *,
        after: str | None,
        limit: int,
    ) -> list[Message]:
        """Return what somebody said in a conversation, by client message id.

        No tombstones and no system messages.
        """
        ...

    async def insert(self, message: Message, *, session: Session) -> None:
        """Store a new message, numbered by the caller's compare-and-set."""
        ...

    async def get_many(self, message_ids: Sequence[MessageId]) -> list[Message]:
        """Return those that exist, of whatever conversation, in no order."""
        ...

    async def replace(self, message: Message, *, session: Session) -> None:
        """Store a changed message."""
        ...

    async def last_said_at(
        self, conversation: Conversation, user_id: UserId, *, session: Session
    ) -> datetime | None:
        """Return when a user last sent or edited a message here.

        Looked for among the newest `SLOW_SCAN_MESSAGES` alone; None: not there.
        """
        ...

    async def page(
        self,
        conversation_id: ConversationId,
        *,
        before: int | None,
        after: int | None,
        limit: int,
        visible_from_seq: int = 1,
        thread_seq: int | None = None,
    ) -> Page:
        """Return up to `limit` messages next to a seq, or the newest ones.

        Args:
            conversation_id: Whose messages.
            before: Exclusive upper bound; the page ends right below it.
            after: Exclusive lower bound; the page begins right above it. At most
                one of both is given.
            limit: At least 1.
            visible_from_seq: Messages below it are as if they were not there.
            thread_seq: Only the answers of this thread.
        """
        ...

    async def threads(
        self,
        conversation_id: ConversationId,
        *,
        before: int | None,
        limit: int,
        visible_from_seq: int = 1,
    ) -> list[Message]:
        """Return messages that were answered, the last answered first.

        Args:
            conversation_id: Whose messages.
            before: Only those whose last answer has a lower seq; None: all.
            limit: At least 1.
            visible_from_seq: See `page`.
        """
        ...

    async def pinned(
        self,
        conversation_id: ConversationId,
        *,
        before: PinnedAt | None,
        limit: int,
        visible_from_seq: int = 1,
    ) -> list[Message]:
        """Return pinned messages, the last pinned first; see `page`."""
        ...

    async def count_pinned(
        self, conversation_id: ConversationId, *, session: Session = None
    ) -> int:
        """Count pinned messages."""
        ...

    async def changed(
        self,
        conversation_id: ConversationId,
        *,
        since: int,
        limit: int,
        viewer: Member | None = None,
    ) -> Changed | None:
        """Return what has a revision above `since`, by revision; None: no conversation.

        All of it is read at one moment. Up to `limit` of messages and of members
        each, and then all members that share the last revision. Messages that are
        hidden from the viewer are left out; without a viewer none is.

        Raises:
            UnavailableError: The database does not answer.
        """
        ...
