"""Conversations and members in memory, and where the writer appends."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from libs.kernel import ConflictError, ConversationId, MessageId, ProjectId, UserId
from services.chat.domain.conversation import Conversation, Member, Role
from services.chat.domain.errors import DuplicateMessageError, StaleConversationError
from services.chat.domain.message import Message, MessageKind
from services.chat.domain.thread import Follow, FollowKey, Touch, growth_of, touched
from services.chat.ports import ActiveAt, Append, JoinedAt, SentKey, Session, WriteState


class MemoryConversations:
    """`ConversationRepository` and `WriterStore` in dictionaries."""

    def __init__(self) -> None:
        self.conversations: dict[ConversationId, Conversation] = {}
        self.members: dict[tuple[ConversationId, UserId], Member] = {}
        self.messages: dict[MessageId, Message] = {}
        self.stubs: dict[SentKey, Message] = {}
        self.follows: dict[FollowKey, Follow] = {}
        self.tombstones: dict[ConversationId, int] = {}
        self.user_revisions: dict[UserId, int] = {}
        self.own_revisions: dict[tuple[ConversationId, UserId], int] = {}

    def issue(self, user_id: UserId) -> int:
        """Return the next revision of a user's own stream."""
        self.user_revisions[user_id] = self.user_revisions.get(user_id, 0) + 1
        return self.user_revisions[user_id]

    def put_follow(self, follow: Follow) -> Follow:
        """Store a follow with the next revision of its user."""
        revision = self.issue(follow.user_id)
        stored = msgspec.structs.replace(follow, user_revision=revision)
        self.follows[follow.key] = stored
        return stored

    async def get(
        self, conversation_id: ConversationId, *, session: Session = None
    ) -> Conversation | None:
        """Return a conversation, or None."""
        del session
        return self.conversations.get(conversation_id)

    async def is_deleted(
        self, conversation_id: ConversationId, *, session: Session
    ) -> bool:
        """Tell whether there is a tombstone of a conversation."""
        del session
        return conversation_id in self.tombstones

    async def get_many(
        self, conversation_ids: Sequence[ConversationId]
    ) -> list[Conversation]:
        """Return those that exist."""
        known = self.conversations
        return [known[c] for c in conversation_ids if c in known]

    async def find_by_key(
        self, unique_key: str, *, session: Session = None
    ) -> Conversation | None:
        """Return the conversation with a unique key, or None."""
        del session
        for conversation in self.conversations.values():
            if conversation.unique_key == unique_key:
                return conversation
        return None

    async def of_project(
        self, project_id: ProjectId, *, after: str, limit: int
    ) -> list[ConversationId]:
        """Return a project's conversations in the order of their ids."""
        found = [
            conversation.conversation_id
            for conversation in self.conversations.values()
            if conversation.project_id == project_id
            and conversation.conversation_id > after
        ]
        return sorted(found)[:limit]

    async def insert(
        self,
        conversation: Conversation,
        members: Sequence[Member],
        *,
        session: Session,
    ) -> dict[UserId, int]:
        """Store a new conversation."""
        key = conversation.unique_key
        place = conversation.conversation_id
        is_taken = place in self.conversations or place in self.tombstones
        if is_taken or (key and await self.find_by_key(key, session=session)):
            raise ConflictError(
                "conversation_exists", "There is such a conversation already."
            )
        self.conversations[conversation.conversation_id] = conversation
        for member in members:
            self._put(member)
        place = conversation.conversation_id
        return {m.user_id: self.own_revisions[place, m.user_id] for m in members}

    async def replace(
        self, conversation: Conversation, *, before: Conversation, session: Session
    ) -> None:
        """Store a changed conversation by compare-and-set on its counters."""
        del session
        known = self.conversations.get(before.conversation_id)
        if known is None or _counters(known) != _counters(before):
            raise StaleConversationError
        for name in ("title", "topic"):  # stored only where they changed
            if getattr(conversation, name) == getattr(before, name):
                stored = {name: getattr(known, name)}
                conversation = msgspec.structs.replace(conversation, **stored)
        self.conversations[before.conversation_id] = conversation

    async def public_page(
        self, project_id: ProjectId | None, *, after: str, limit: int
    ) -> list[Conversation]:
        """Return public channels of a project, or of none, by id."""
        found = [
            conversation
            for conversation in self.conversations.values()
            if conversation.is_public
            and not conversation.is_archived
            and conversation.project_id == project_id
            and conversation.conversation_id > after
        ]
        return sorted(found, key=lambda one: one.conversation_id)[:limit]

    async def delete(
        self, conversation: Conversation, *, before: Conversation, session: Session
    ) -> None:
        """Leave a tombstone, by compare-and-set on its counters."""
        await self.replace(conversation, before=before, session=session)
        await self.shred(conversation.conversation_id, session=session)
        del self.conversations[conversation.conversation_id]
        self.tombstones[conversation.conversation_id] = conversation.revision

    async def shred(self, conversation_id: ConversationId, *, session: Session) -> None:
        """Destroy what is private in a conversation, for good."""
        del session
        known = self.conversations.get(conversation_id)
        if known is None:
            return
        untitled = msgspec.structs.replace(known, title=None, topic=None)
        self.conversations[conversation_id] = untitled
        for message in list(self.messages.values()):
            if message.conversation_id == conversation_id:
                unread = msgspec.structs.replace(message, text=None)
                self.messages[message.message_id] = unread

    async def revisions(
        self, conversation_ids: Sequence[ConversationId]
    ) -> dict[ConversationId, int]:
        """Return the current revision of each that exists, or did."""
        found = await self.get_many(conversation_ids)
        dead = {c: r for c, r in self.tombstones.items() if c in conversation_ids}
        return dead | {one.conversation_id: one.revision for one in found}

    async def get_member(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        *,
        session: Session = None,
    ) -> Member | None:
        """Return a membership, a tombstone too, or None."""
        del session
        return self.members.get((conversation_id, user_id))

    async def members_among(
        self,
        conversation_id: ConversationId,
        user_ids: Sequence[UserId],
        *,
        session: Session = None,
    ) -> set[UserId]:
        """Return those of the users that are active members."""
        del session
        active = {member.user_id for member in self._active(conversation_id)}
        return active & set(user_ids)

    async def put_member(self, member: Member, *, session: Session) -> None:
        """Store a membership; its read marker never goes back."""
        del session
        known = self.members.get((member.conversation_id, member.user_id))
        read_seq = max(member.read_seq, known.read_seq if known else 0)
        self._put(msgspec.structs.replace(member, read_seq=read_seq))

    async def count_members(
        self,
        conversation_id: ConversationId,
        *,
        role: Role | None = None,
        session: Session = None,
    ) -> int:
        """Count active members, all or of one role."""
        del session
        active = self._active(conversation_id)
        return sum(1 for member in active if role in (None, member.role))

    async def longest_member(
        self, conversation_id: ConversationId, role: Role, *, session: Session
    ) -> Member | None:
        """Return the active member of a role who joined first, or None."""
        del session
        found = [m for m in self._active(conversation_id) if m.role is role]
        return min(found, key=lambda m: (m.joined_at, m.user_id), default=None)

    async def members_page(
        self,
        conversation_id: ConversationId,
        *,
        after: str,
        limit: int,
        has_ended: bool = False,
    ) -> list[Member]:
        """Return members in the order of their user ids, active ones alone or all."""
        here = [m for (c, _), m in self.members.items() if c == conversation_id]
        found = [m for m in here if m.user_id > after and (has_ended or m.is_active)]
        return sorted(found, key=lambda member: member.user_id)[:limit]

    async def memberships_page(
        self, user_id: UserId, *, before: JoinedAt | None, limit: int
    ) -> list[Member]:
        """Return a user's active memberships, the last joined first."""

        def place(member: Member) -> JoinedAt:
            return JoinedAt(member.joined_at, member.conversation_id)

        found = [
            member
            for member in self.members.values()
            if member.user_id == user_id and member.is_active
            if before is None or place(member) < before
        ]
        found.sort(key=place, reverse=True)
        return found[:limit]

    async def activity(self, user_id: UserId, *, limit: int) -> list[ActiveAt]:
        """Return when something was last said in each of a user's conversations."""
        joined = await self.memberships_page(user_id, before=None, limit=limit)
        found = await self.get_many([member.conversation_id for member in joined])
        return [
            ActiveAt(c.last_message_at or c.created_at, c.conversation_id)
            for c in found
        ]

    async def memberships_in(
        self, user_id: UserId, conversation_ids: Sequence[ConversationId]
    ) -> list[Member]:
        """Return a user's active memberships among some conversations."""
        found = [self.members.get((c, user_id)) for c in conversation_ids]
        return [member for member in found if member and member.is_active]

    async def advance_read(
        self,
        conversation_id: ConversationId,
        user_id: UserId,
        seq: int,
        *,
        session: Session = None,
    ) -> bool:
        """Move a read marker forward; tell whether it moved."""
        del session
        member = self.members.get((conversation_id, user_id))
        if member is None or member.read_seq >= seq:
            return False
        moved = msgspec.structs.replace(member, read_seq=seq)
        self.members[conversation_id, user_id] = moved
        return True

    # What the writer needs.

    async def load_states(
        self, wanted: Mapping[ConversationId, Iterable[UserId]]
    ) -> dict[ConversationId, WriteState]:
        """Read conversations with the roles of some users."""
        states = {}
        for conversation in await self.get_many(list(wanted)):
            known = [
                self.members.get((conversation.conversation_id, user_id))
                for user_id in wanted[conversation.conversation_id]
            ]
            states[conversation.conversation_id] = WriteState(
                conversation=conversation,
                last_seq=conversation.last_seq,
                revision=conversation.revision,
                members_version=conversation.members_version,
                roles={m.user_id: m.role for m in known if m and m.is_active},
            )
            self._load_sent(states[conversation.conversation_id])
        return states

    async def renew_keys(self, appends: Sequence[Append], now: datetime) -> None:
        """Do nothing: memory seals nothing."""

    def _load_sent(self, state: WriteState) -> None:
        if not state.conversation.slow_mode_seconds:
            return
        for message in sorted(self.messages.values(), key=lambda m: m.seq):
            is_here = message.conversation_id == state.conversation.conversation_id
            is_text = message.kind is MessageKind.TEXT
            if is_here and is_text and message.sender_id in state.roles:
                state.sent_at[message.sender_id] = message.sent_at

    async def append(
        self, appends: Sequence[Append], *, session: Session
    ) -> list[Follow]:
        """Write a batch by compare-and-set, all of it or nothing."""
        del session
        for append in appends:
            known = self.conversations.get(append.conversation_id)
            if known is None:
                raise StaleConversationError
            expected = (
                append.expected_seq,
                append.expected_revision,
                append.expected_members_version,
            )
            if _counters(known) != expected:
                raise StaleConversationError
        messages = [message for append in appends for message in append.messages]
        if await self.find_sent([sent_key(message) for message in messages]):
            raise DuplicateMessageError
        for append in appends:
            last = append.messages[-1]
            self.conversations[append.conversation_id] = msgspec.structs.replace(
                self.conversations[append.conversation_id],
                last_seq=last.seq,
                last_message_at=last.sent_at,
                revision=last.revision,
            )
        for message in messages:
            self.messages[message.message_id] = message
        touches = [one for a in appends for one in a.touches]
        return self._grow_threads(messages, touches)

    def _grow_threads(
        self, messages: list[Message], touches: list[Touch]
    ) -> list[Follow]:
        for growth in growth_of(messages):
            for known in list(self.messages.values()):
                place = (known.conversation_id, known.seq)
                if place == (growth.conversation_id, growth.thread_seq):
                    self.messages[known.message_id] = msgspec.structs.replace(
                        known,
                        reply_count=known.reply_count + growth.replies,
                        last_reply_seq=growth.last_reply_seq,
                    )
        after = touched(touches, self.follows)
        self.follows |= {follow.key: follow for follow in after.moved}
        return [self.put_follow(follow) for follow in after.begun]

    def note_sent(self, messages: Iterable[Message]) -> None:
        """Move the senders' own markers."""
        for message in messages:
            key = (message.conversation_id, message.sender_id)
            member = self.members.get(key)
            if member is not None and member.read_seq < message.seq:
                moved = msgspec.structs.replace(member, read_seq=message.seq)
                self.members[key] = moved

    async def find_sent(self, keys: Sequence[SentKey]) -> dict[SentKey, Message]:
        """Return those of the messages that are stored."""
        sent = {sent_key(message): message for message in self.messages.values()}
        stored = self.stubs | sent
        return {key: stored[key] for key in keys if key in stored}

    def _put(self, member: Member) -> None:
        key = (member.conversation_id, member.user_id)
        self.members[key] = member
        self.own_revisions[key] = self.issue(member.user_id)

    def _active(self, conversation_id: ConversationId) -> list[Member]:
        return [
            member
            for member in self.members.values()
            if member.conversation_id == conversation_id and member.is_active
        ]


def sent_key(message: Message) -> SentKey:
    """Return what names a sent message for ever."""
    return (message.conversation_id, message.sender_id, message.client_message_id)


def _counters(conversation: Conversation) -> tuple[int, int, int]:
    return (
        conversation.last_seq,
        conversation.revision,
        conversation.members_version,
    )
