"""What is known of foreign facts, in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from libs.kernel import (
    ConversationId,
    MessageId,
    UserId,
)
from services.notification.domain.conversations import (
    Conversation,
    ConversationKind,
    Excerpt,
    Member,
    MembershipChange,
    MuteChange,
    ReadMark,
    newest,
)
from services.notification.domain.people import (
    Person,
    Preferences,
    Presence,
    Profile,
)
from services.notification.ports import Session


class MemoryPeopleRepository:
    """See `PeopleRepository`."""

    def __init__(self) -> None:
        self._people: dict[UserId, Person] = {}
        self._versions: dict[tuple[UserId, str], int | datetime] = {}

    async def get(
        self, user_ids: Iterable[UserId], session: Session = None
    ) -> dict[UserId, Person]:
        """Return the known ones by id."""
        del session
        return {one: self._people[one] for one in user_ids if one in self._people}

    async def put_profile(self, profile: Profile, session: Session = None) -> None:
        """Keep a profile, unless a newer revision is known."""
        del session
        user_id = profile.user_id
        if self._is_newer(user_id, "profile", profile.revision):
            known = self._person(user_id)
            self._people[user_id] = replace(
                known,
                display_name=profile.display_name,
                locale=profile.locale,
                handle=profile.handle or known.handle,
                time_zone=profile.time_zone or known.time_zone,
            )

    async def put_email(
        self, user_id: UserId, email: str, since: datetime, session: Session = None
    ) -> None:
        """Keep an address, unless one that became valid later is known."""
        del session
        if self._is_newer(user_id, "email", since):
            self._people[user_id] = replace(self._person(user_id), email=email)

    async def put_suspension(
        self,
        user_id: UserId,
        *,
        revision: int,
        is_suspended: bool,
        session: Session = None,
    ) -> None:
        """Keep a suspension, unless a newer revision of it is known."""
        del session
        if self._is_newer(user_id, "suspension", revision):
            known = self._person(user_id)
            self._people[user_id] = replace(known, is_suspended=is_suspended)

    async def put_deletion(self, user_id: UserId, session: Session = None) -> None:
        """Keep that the account is gone, and forget what was known of it."""
        del session
        self._people[user_id] = Person(user_id, is_deleted=True)

    async def put_presence(
        self,
        user_id: UserId,
        presence: Presence,
        changed_at: datetime,
        session: Session = None,
    ) -> None:
        """Keep a presence, unless a newer one is known."""
        del session
        if self._is_newer(user_id, "presence", changed_at):
            self._people[user_id] = replace(self._person(user_id), presence=presence)

    async def put_preferences(self, user_id: UserId, preferences: Preferences) -> None:
        """Replace what the user chose."""
        self._people[user_id] = replace(self._person(user_id), preferences=preferences)

    def _person(self, user_id: UserId) -> Person:
        return self._people.get(user_id) or Person(user_id)

    def _is_newer(self, user_id: UserId, what: str, version: int | datetime) -> bool:
        """Take a version if it is newer than the known one of its kind."""
        known = self._versions.get((user_id, what))
        is_stale = known is not None and known >= version  # type: ignore[operator]  # one kind a key
        if is_stale or self._person(user_id).is_deleted:
            return False
        self._versions[user_id, what] = version
        return True


class MemoryConversationRepository:
    """See `ConversationRepository`."""

    def __init__(self) -> None:
        self._kinds: dict[ConversationId, ConversationKind] = {}
        self._titles: dict[ConversationId, tuple[int, str | None]] = {}
        self._deleted: set[ConversationId] = set()
        self._members: dict[tuple[ConversationId, UserId], Member] = {}
        self._revisions: dict[tuple[ConversationId, UserId], int] = {}
        self._mutes: dict[tuple[ConversationId, UserId], int] = {}
        self._excerpts: dict[MessageId, Excerpt] = {}

    async def get(
        self, conversation_ids: Iterable[ConversationId], session: Session = None
    ) -> dict[ConversationId, Conversation]:
        """Return those whose beginning is known, tombstones too."""
        del session
        return {
            one: Conversation(
                one,
                self._kinds.get(one, ConversationKind.GROUP),
                title=None if one in self._deleted else self._title(one),
                is_deleted=one in self._deleted,
            )
            for one in conversation_ids
            if one in self._kinds or one in self._deleted
        }

    async def members(
        self, conversation_ids: Iterable[ConversationId], session: Session = None
    ) -> dict[ConversationId, dict[UserId, Member]]:
        """Return the present members of conversations, by user id."""
        del session
        found: dict[ConversationId, dict[UserId, Member]]
        found = {one: {} for one in conversation_ids}
        for member in self._members.values():
            if member.is_member and member.conversation_id in found:
                found[member.conversation_id][member.user_id] = member
        return found

    async def places(
        self, pairs: Iterable[tuple[ConversationId, UserId]]
    ) -> dict[tuple[ConversationId, UserId], Member]:
        """Return the places of some users, former members too."""
        return {pair: self._members[pair] for pair in pairs if pair in self._members}

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
        self._kinds[conversation_id] = kind
        await self.put_title(
            conversation_id, revision=revision, title=title, session=session
        )

    async def put_title(
        self,
        conversation_id: ConversationId,
        *,
        revision: int,
        title: str | None,
        session: Session = None,
    ) -> None:
        """Keep a title, unless a newer revision of it is known."""
        del session
        if self._titles.get(conversation_id, (-1, None))[0] < revision:
            self._titles[conversation_id] = (revision, title)

    async def put_deletion(
        self, conversation_id: ConversationId, session: Session = None
    ) -> None:
        """Keep that it is gone, and forget its title; final."""
        del session
        self._deleted.add(conversation_id)
        self._excerpts = {
            message_id: excerpt
            for message_id, excerpt in self._excerpts.items()
            if excerpt.conversation_id != conversation_id
        }

    async def put_memberships(
        self, changes: Sequence[MembershipChange], session: Session = None
    ) -> None:
        """Keep members that came or went, each unless a newer change is known."""
        del session
        for change in changes:
            place = (change.conversation_id, change.user_id)
            if self._revisions.get(place, -1) < change.revision:
                self._revisions[place] = change.revision
                known = self._members.get(place) or Member(*place)
                self._members[place] = replace(known, is_member=change.is_member)

    async def put_mute(self, change: MuteChange, session: Session = None) -> None:
        """Keep how a place is muted, unless a newer change is known."""
        del session
        place = (change.conversation_id, change.user_id)
        if self._mutes.get(place, -1) < change.revision:
            self._mutes[place] = change.revision
            known = self._members.get(place) or Member(*place, is_member=False)
            self._members[place] = replace(
                known, mute_level=change.level, muted_until=change.until
            )

    async def put_reads(
        self, marks: Sequence[ReadMark], session: Session = None
    ) -> None:
        """Raise read markers; a lower one changes nothing."""
        del session
        for mark in marks:
            place = (mark.conversation_id, mark.user_id)
            known = self._members.get(place) or Member(*place, is_member=False)
            read_seq = max(known.read_seq, mark.read_seq)
            self._members[place] = replace(known, read_seq=read_seq)

    async def excerpts(
        self, message_ids: Iterable[MessageId], session: Session = None
    ) -> dict[MessageId, Excerpt]:
        """Return what is kept of some messages, tombstones too."""
        del session
        known = {one: self._excerpts.get(one) for one in message_ids}
        return {
            message_id: excerpt
            for message_id, excerpt in known.items()
            if excerpt is not None and not excerpt.is_early
        }

    async def put_excerpts(
        self, excerpts: Sequence[Excerpt], session: Session = None
    ) -> set[MessageId]:
        """Keep excerpts of different messages, each as `newest` says."""
        del session
        kept = {
            new.message_id: merged
            for new in excerpts
            if (merged := newest(self._excerpts.get(new.message_id), new)) is not None
        }
        self._excerpts |= kept
        return set(kept)

    def _title(self, conversation_id: ConversationId) -> str | None:
        return self._titles.get(conversation_id, (-1, None))[1]
