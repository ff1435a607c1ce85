"""Messages in memory."""

from collections.abc import Sequence
from datetime import datetime

from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.conversation import Conversation, Member
from services.chat.domain.message import Message, MessageKind
from services.chat.domain.slow_mode import SLOW_SCAN_MESSAGES
from services.chat.ports import Changed, Page, PinnedAt, Session
from services.chat.repository.memory.conversations import MemoryConversations


class MemoryMessages:
    """`MessageRepository` over the same dictionaries."""

    def __init__(self, store: MemoryConversations) -> None:
        self._store = store

    async def get(
        self,
        conversation_id: ConversationId,
        message_id: MessageId,
        *,
        session: Session = None,
    ) -> Message | None:
        """Return a message of the conversation, or None."""
        del session
        message = self._store.messages.get(message_id)
        is_here = message is not None and message.conversation_id == conversation_id
        return message if is_here else None

    async def get_by_seq(
        self, conversation_id: ConversationId, seq: int, *, session: Session = None
    ) -> Message | None:
        """Return the message with a seq, or None."""
        del session
        found = (m for m in self._of(conversation_id) if m.seq == seq)
        return next(found, None)

    async def find_sent(
        self, conversation_id: ConversationId, sender_id: UserId, client_message_id: str
    ) -> Message | None:
        """Return what a client's message became, or None."""
        key = (conversation_id, sender_id, client_message_id)
        return (await self._store.find_sent([key])).get(key)

    async def insert(self, message: Message, *, session: Session) -> None:
        """Store a new message, numbered by the caller's compare-and-set."""
        del session
        self._store.messages[message.message_id] = message

    async def get_many(self, message_ids: Sequence[MessageId]) -> list[Message]:
        """Return those that exist, in no order."""
        known = self._store.messages
        return [known[m] for m in message_ids if m in known]

    async def replace(self, message: Message, *, session: Session) -> None:
        """Store a changed message."""
        del session
        self._store.messages[message.message_id] = message

    async def last_said_at(
        self, conversation: Conversation, user_id: UserId, *, session: Session
    ) -> datetime | None:
        """Return when a user last sent or edited a message here."""
        del session
        first_seq = conversation.last_seq - SLOW_SCAN_MESSAGES + 1
        times = [
            message.edited_at or message.sent_at
            for message in self._of(conversation.conversation_id)
            if message.sender_id == user_id and message.kind is MessageKind.TEXT
            if message.seq >= first_seq
        ]
        return max(times, default=None)

    async def sent_page(
        self,
        conversation_id: ConversationId,
        sender_id: UserId,
        *,
        after: str | None,
        limit: int,
    ) -> list[Message]:
        """Return what somebody said in a conversation, by client message id."""
        found = [
            message
            for message in self._of(conversation_id)
            if message.sender_id == sender_id
            and message.client_message_id > (after or "")
            and not message.is_deleted
            and message.kind is not MessageKind.SYSTEM
        ]
        return sorted(found, key=lambda one: one.client_message_id)[:limit]

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
        """Return up to `limit` messages next to a seq, or the newest ones."""
        found = sorted(
            (
                m
                for m in self._of(conversation_id)
                if m.seq >= visible_from_seq
                if thread_seq is None or m.thread_seq == thread_seq
            ),
            key=lambda message: message.seq,
        )
        if after is not None:
            found = [message for message in found if message.seq > after]
            return Page(tuple(found[:limit]), has_more=len(found) > limit)
        if before is not None:
            found = [message for message in found if message.seq < before]
        return Page(tuple(found[-limit:]), has_more=len(found) > limit)

    async def threads(
        self,
        conversation_id: ConversationId,
        *,
        before: int | None,
        limit: int,
        visible_from_seq: int = 1,
    ) -> list[Message]:
        """Return messages that were answered, the last answered first."""
        roots = {
            message.last_reply_seq: message
            for message in self._of(conversation_id)
            if message.last_reply_seq is not None and message.seq >= visible_from_seq
            if before is None or message.last_reply_seq < before
        }
        return [roots[seq] for seq in sorted(roots, reverse=True)][:limit]

    async def pinned(
        self,
        conversation_id: ConversationId,
        *,
        before: PinnedAt | None,
        limit: int,
        visible_from_seq: int = 1,
    ) -> list[Message]:
        """Return pinned messages, the last pinned first."""
        places = {
            PinnedAt(message.pin.pinned_at, message.message_id): message
            for message in self._of(conversation_id)
            if message.pin is not None and message.seq >= visible_from_seq
        }
        found = sorted(places, reverse=True)
        shown = [place for place in found if before is None or place < before]
        return [places[place] for place in shown[:limit]]

    async def count_pinned(
        self, conversation_id: ConversationId, *, session: Session = None
    ) -> int:
        """Count pinned messages."""
        del session
        return sum(m.pin is not None for m in self._of(conversation_id))

    async def changed(
        self,
        conversation_id: ConversationId,
        *,
        since: int,
        limit: int,
        viewer: Member | None = None,
    ) -> Changed | None:
        """Return what has a revision above `since`."""
        conversation = self._store.conversations.get(conversation_id)
        if conversation is None:
            return None
        visible_from_seq = conversation.first_seq
        if viewer is not None:
            visible_from_seq = max(visible_from_seq, viewer.visible_from_seq)
        messages = [
            message
            for message in self._of(conversation_id)
            if message.revision > since and message.seq >= visible_from_seq
        ]
        members = [
            member
            for member in self._store.members.values()
            if member.conversation_id == conversation_id and member.revision > since
        ]
        messages.sort(key=lambda message: message.revision)
        members.sort(key=lambda member: member.revision)
        end = min(limit, len(members))
        while 0 < end < len(members) and (
            members[end].revision == members[end - 1].revision
        ):
            end += 1
        return Changed(
            conversation=conversation,
            messages=tuple(messages[:limit]),
            members=tuple(members[:end]),
        )

    def _of(self, conversation_id: ConversationId) -> list[Message]:
        return [
            message
            for message in self._store.messages.values()
            if message.conversation_id == conversation_id
        ]
