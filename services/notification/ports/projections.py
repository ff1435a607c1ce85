"""What is known of foreign facts; every write is order-free."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from libs.kernel import ConversationId, MessageId, UserId
from services.notification.domain.conversations import (
    Conversation,
    ConversationKind,
    Excerpt,
    Member,
    MembershipChange,
    MuteChange,
    ReadMark,
)
from services.notification.domain.people import (
    Person,
    Preferences,
    Presence,
    Profile,
)
from services.notification.ports.records import Session


class PeopleRepository(Protocol):
    """Users as this service knows them; every write is order-free."""

    async def get(
        self, user_ids: Iterable[UserId], session: Session = None
    ) -> dict[UserId, Person]:
        """Return the known ones by id."""
        ...

    async def put_profile(self, profile: Profile, session: Session = None) -> None:
        """Keep a profile, unless a newer revision is known."""
        ...

    async def put_email(
        self, user_id: UserId, email: str, since: datetime, session: Session = None
    ) -> None:
        """Keep an address, unless one that became valid later is known."""
        ...

    async def put_suspension(
        self,
        user_id: UserId,
        *,
        revision: int,
        is_suspended: bool,
        session: Session = None,
    ) -> None:
        """Keep a suspension, unless a newer revision of it is known."""
        ...

    async def put_deletion(self, user_id: UserId, session: Session = None) -> None:
        """Keep that the account is gone, and forget its address; final."""
        ...

    async def put_presence(
        self,
        user_id: UserId,
        presence: Presence,
        changed_at: datetime,
        session: Session = None,
    ) -> None:
        """Keep a presence, unless a newer one is known."""
        ...

    async def put_preferences(self, user_id: UserId, preferences: Preferences) -> None:
        """Replace what the user chose."""
        ...


class ConversationRepository(Protocol):
    """Conversations, members, read markers, excerpts; every write is order-free."""

    async def get(
        self, conversation_ids: Iterable[ConversationId], session: Session = None
    ) -> dict[ConversationId, Conversation]:
        """Return those whose beginning is known, tombstones too."""
        ...

    async def members(
        self, conversation_ids: Iterable[ConversationId], session: Session = None
    ) -> dict[ConversationId, dict[UserId, Member]]:
        """Return the present members of conversations, by user id.

        Returns:
            An entry for each conversation that was asked for.
        """
        ...

    async def places(
        self, pairs: Iterable[tuple[ConversationId, UserId]]
    ) -> dict[tuple[ConversationId, UserId], Member]:
        """Return the places of some users, former members too."""
        ...

    async def put_creation(
        self,
        conversation_id: ConversationId,
        kind: ConversationKind,
        *,
        revision: int,
        title: str | None,
        session: Session = None,
    ) -> None:
        """Keep that it began; its title unless a newer one is known."""
        ...

    async def put_title(
        self,
        conversation_id: ConversationId,
        *,
        revision: int,
        title: str | None,
        session: Session = None,
    ) -> None:
        """Keep a title, unless a newer revision of it is known."""
        ...

    async def put_deletion(
        self, conversation_id: ConversationId, session: Session = None
    ) -> None:
        """Keep that it is gone, and forget its title; final."""
        ...

    async def put_memberships(
        self, changes: Sequence[MembershipChange], session: Session = None
    ) -> None:
        """Keep members that came or went, each unless a newer change is known."""
        ...

    async def put_mute(self, change: MuteChange, session: Session = None) -> None:
        """Keep how a place is muted, unless a newer change is known."""
        ...

    async def put_reads(
        self, marks: Sequence[ReadMark], session: Session = None
    ) -> None:
        """Raise read markers; a lower one changes nothing."""
        ...

    async def excerpts(
        self, message_ids: Iterable[MessageId], session: Session = None
    ) -> dict[MessageId, Excerpt]:
        """Return what is kept of some messages, tombstones too.

        Not those of which an edit alone was seen.
        """
        ...

    async def put_excerpts(
        self, excerpts: Sequence[Excerpt], session: Session = None
    ) -> set[MessageId]:
        """Keep excerpts of different messages, each as `newest` says.

        Returns:
            Those that were kept, whole or in part.
        """
        ...
