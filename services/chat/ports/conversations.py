"""Where conversations and members are kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from libs.kernel import ConversationId, ProjectId, UserId
from services.chat.domain.conversation import Conversation, Member, Role
from services.chat.ports.session import Session


class JoinedAt(NamedTuple):
    """A place in a user's list of conversations."""

    joined_at: datetime
    conversation_id: ConversationId


class ActiveAt(NamedTuple):
    """When something was last said in a conversation; else when it began."""

    active_at: datetime
    conversation_id: ConversationId


class ConversationRepository(Protocol):
    """Conversations and their members."""

    async def get(
        self, conversation_id: ConversationId, *, session: Session = None
    ) -> Conversation | None:
        """Return a conversation, or None."""
        ...

    async def is_deleted(
        self, conversation_id: ConversationId, *, session: Session
    ) -> bool:
        """Tell whether there is a tombstone of a conversation."""
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
    ) -> dict[UserId, int]:
        """Store a new conversation with a data key of its own.

        Returns:
            The new revision of each member's own stream.

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

    async def public_page(
        self, project_id: ProjectId | None, *, after: str, limit: int
    ) -> list[Conversation]:
        """Return public channels of a project, or of none, in the order of their ids.

        Archived ones are left out.
        """
        ...

    async def delete(
        self, conversation: Conversation, *, before: Conversation, session: Session
    ) -> None:
        """Leave a tombstone, by compare-and-set on its counters; see `shred`.

        From then on it is as if missing, but for its revision.

        Raises:
            StaleConversationError: It has moved on.
        """
        ...

    async def shred(self, conversation_id: ConversationId, *, session: Session) -> None:
        """Destroy a conversation's data keys, its title and topic, for good.

        Nothing that was sealed under them opens again, in this process at once and
        in the others as soon as they read the conversation. Documents stay: what
        they hold is noise. Idempotent. Source: security.md CR-5.
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
        """Store a membership, new or changed; its read marker never goes back.

        The user's own stream moves with it.
        """
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

    async def longest_member(
        self, conversation_id: ConversationId, role: Role, *, session: Session
    ) -> Member | None:
        """Return the active member of a role who joined first, or None."""
        ...

    async def members_page(
        self,
        conversation_id: ConversationId,
        *,
        after: str,
        limit: int,
        has_ended: bool = False,
    ) -> list[Member]:
        """Return members in the order of their user ids, active ones alone or all."""
        ...

    async def memberships_page(
        self, user_id: UserId, *, before: JoinedAt | None, limit: int
    ) -> list[Member]:
        """Return a user's active memberships, the last joined first."""
        ...

    async def activity(self, user_id: UserId, *, limit: int) -> list[ActiveAt]:
        """Return when something was last said in each of a user's conversations.

        Two reads, without titles; in no order. Above the limit the last joined.
        """
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
