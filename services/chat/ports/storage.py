"""Where conversations, members, messages and users are kept.

A ``session`` is the opaque object of `libs.events.Transaction`: it is handed from
the bus to the repositories and never looked at in between.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from libs.kernel import ConversationId, MessageId, ProjectId, UserId
from services.chat.domain.conversation import Conversation, Member, Role
from services.chat.domain.message import Message
from services.chat.domain.user import User

Session = Any
"""pymongo's AsyncClientSession on the real store; the core cannot know it."""

SentKey = tuple[ConversationId, UserId, str]
"""Conversation, sender, client_message_id: names a sent message for ever."""


class WriteState(msgspec.Struct, kw_only=True):
    """What the writer remembers of a conversation between two commits.

    Attributes:
        roles: Of the senders that were looked up at ``members_version``; a user
            that was looked up and is no member is absent.
    """

    conversation: Conversation
    last_seq: int
    revision: int
    members_version: int
    roles: dict[UserId, Role]


class Append(msgspec.Struct, frozen=True, kw_only=True):
    """New messages of one conversation, and the state they were planned on."""

    conversation_id: ConversationId
    expected_seq: int
    expected_revision: int
    expected_members_version: int
    messages: tuple[Message, ...]


class JoinedAt(NamedTuple):
    """A place in a user's list of conversations."""

    joined_at: datetime
    conversation_id: ConversationId


class Page(msgspec.Struct, frozen=True):
    """Messages in the order of their seq, and whether the side asked has more."""

    messages: tuple[Message, ...]
    has_more: bool


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


class WriterStore(Protocol):
    """Where the message writer reads and appends."""

    async def load_states(
        self, wanted: Mapping[ConversationId, Iterable[UserId]]
    ) -> dict[ConversationId, WriteState]:
        """Read conversations with the roles of some users.

        Membership is read after the conversation, so that a change in between
        shows as a newer ``members_version`` at commit time.
        """
        ...

    async def append(self, appends: Sequence[Append], *, session: Session) -> None:
        """Write a batch in the caller's transaction, by compare-and-set.

        Raises:
            StaleConversationError: At least one conversation has moved on.
            DuplicateMessageError: At least one message is stored already.
        """
        ...

    async def find_sent(self, keys: Sequence[SentKey]) -> dict[SentKey, Message]:
        """Return those of the messages that are stored, never to be rolled back."""
        ...


class ConversationRepository(Protocol):
    """Conversations and their members."""

    async def get(
        self, conversation_id: ConversationId, *, session: Session = None
    ) -> Conversation | None:
        """Return a conversation, or None."""
        ...

    async def get_many(
        self, conversation_ids: Sequence[ConversationId]
    ) -> list[Conversation]:
        """Return those that exist, in no order."""
        ...

    async def find_by_key(
        self, unique_key: str, *, session: Session = None
    ) -> Conversation | None:
        """Return the conversation with a unique key, or None."""
        ...

    async def of_project(
        self, project_id: ProjectId, *, after: str, limit: int
    ) -> list[ConversationId]:
        """Return a project's conversations in the order of their ids."""
        ...

    async def insert(
        self,
        conversation: Conversation,
        members: Sequence[Member],
        *,
        session: Session,
    ) -> None:
        """Store a new conversation with a data key of its own.

        Raises:
            ConflictError: ``conversation_exists``: its unique key is taken.
        """
        ...

    async def replace(
        self, conversation: Conversation, *, before: Conversation, session: Session
    ) -> None:
        """Store a changed conversation by compare-and-set on its counters.

        Raises:
            StaleConversationError: It has moved on.
        """
        ...

    async def revisions(
        self, conversation_ids: Sequence[ConversationId]
    ) -> dict[ConversationId, int]:
        """Return the current revision of each that exists, in one query."""
        ...

    async def get_member(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        *,
        session: Session = None,
    ) -> Member | None:
        """Return a membership, a tombstone too, or None."""
        ...

    async def members_among(
        self,
        conversation_id: ConversationId,
        user_ids: Sequence[UserId],
        *,
        session: Session = None,
    ) -> set[UserId]:
        """Return those of the users that are active members."""
        ...

    async def put_member(self, member: Member, *, session: Session) -> None:
        """Store a membership, new or changed; its read marker never goes back."""
        ...

    async def count_members(
        self,
        conversation_id: ConversationId,
        *,
        role: Role | None = None,
        session: Session = None,
    ) -> int:
        """Count active members, all or of one role."""
        ...

    async def members_page(
        self, conversation_id: ConversationId, *, after: str, limit: int
    ) -> list[Member]:
        """Return active members in the order of their user ids."""
        ...

    async def memberships_page(
        self, user_id: UserId, *, before: JoinedAt | None, limit: int
    ) -> list[Member]:
        """Return a user's active memberships, the last joined first."""
        ...

    async def memberships_in(
        self, user_id: UserId, conversation_ids: Sequence[ConversationId]
    ) -> list[Member]:
        """Return a user's active memberships among some conversations."""
        ...

    async def advance_read(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        seq: int,
        *,
        session: Session = None,
    ) -> bool:
        """Move a read marker forward; tell whether it moved."""
        ...


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

    async def replace(self, message: Message, *, session: Session) -> None:
        """Store a changed message."""
        ...

    async def page(
        self,
        conversation_id: ConversationId,
        *,
        before: int | None,
        after: int | None,
        limit: int,
    ) -> Page:
        """Return up to `limit` messages next to a seq, or the newest ones.

        Args:
            conversation_id: Whose messages.
            before: Exclusive upper bound; the page ends right below it.
            after: Exclusive lower bound; the page begins right above it. At most
                one of both is given.
            limit: At least 1.
        """
        ...

    async def changed(
        self, conversation_id: ConversationId, *, since: int, until: int, limit: int
    ) -> tuple[list[Message], list[Member]]:
        """Return messages and members with since < revision <= until, by revision.

        Up to `limit` of each, and then all members that share the last revision.
        """
        ...


class UserRepository(Protocol):
    """The projection of users."""

    async def get(self, user_id: UserId, *, session: Session = None) -> User | None:
        """Return a user, or None."""
        ...

    async def active_among(
        self, user_ids: Sequence[UserId], *, session: Session = None
    ) -> set[UserId]:
        """Return those of the users that can take part."""
        ...

    async def put(self, user: User, *, session: Session) -> None:
        """Store a user, new or changed."""
        ...
