"""Reading threads, following them, and how far each was read."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from libs.events import EventBus, Transaction
from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import (
    Conversation,
    Member,
    visible_from,
)
from services.chat.domain.errors import MessageNotFoundError
from services.chat.domain.message import Message
from services.chat.domain.thread import undecided
from services.chat.domain.thread_events import changed_event
from services.chat.ports import (
    ConversationRepository,
    MessageRepository,
    ThreadRepository,
)
from services.chat.service.access import require_access, require_shown
from services.chat.service.history import History


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """A thread as one member sees it.

    Attributes:
        root: The message that is answered, with count and seq of the answers.
        unread: Answers above ``read_seq``, while it is followed.
    """

    root: Message
    is_following: bool
    read_seq: int
    unread: int


class Threads:
    """Use cases on threads.

    Args:
        bus: Opens transactions.
        conversations: Conversations and members.
        messages: Stored messages.
        threads: Who follows what.
    """

    def __init__(
        self,
        bus: EventBus,
        conversations: ConversationRepository,
        messages: MessageRepository,
        threads: ThreadRepository,
    ) -> None:
        self._bus = bus
        self._conversations = conversations
        self._messages = messages
        self._threads = threads

    async def page(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        *,
        before: int | None,
        limit: int,
    ) -> tuple[Sequence[Thread], int | None]:
        """Return a conversation's threads, the last answered first.

        Args:
            user_id: Who reads.
            conversation_id: Whose threads.
            before: Only those whose last answer has a lower seq; None: all.
            limit: At least 1.

        Returns:
            The threads, and the seq to go on below; None: there are no more.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
        """
        conversation, member = await require_access(
            self._conversations, user_id, conversation_id
        )
        found = await self._messages.threads(
            conversation_id,
            before=before,
            limit=limit + 1,
            visible_from_seq=visible_from(conversation, member),
        )
        roots = found[:limit]
        await require_shown(self._conversations, conversation, member, roots)
        has_more = len(found) > limit
        following = roots[-1].last_reply_seq if has_more else None
        return await self._seen_by(member, roots), following

    async def get(
        self, user_id: UserId, conversation_id: ConversationId, thread_seq: int
    ) -> Thread:
        """Return one thread, also one that nobody answered in yet.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: No such message, or hidden, or itself an answer.
        """
        _, member, root = await self._root(user_id, conversation_id, thread_seq)
        (thread,) = await self._seen_by(member, [root])
        return thread

    async def messages(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        thread_seq: int,
        *,
        limit: int,
        before: int | None = None,
        after: int | None = None,
    ) -> History:
        """Return answers of a thread in the order of seq; see `Messages.page`.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: No such message, or hidden, or itself an answer.
        """
        conversation, member, root = await self._root(
            user_id, conversation_id, thread_seq
        )
        page = await self._messages.page(
            conversation_id,
            before=before,
            after=after,
            limit=limit,
            thread_seq=thread_seq,
        )
        last = root.last_reply_seq or 0
        shown = page.messages
        await require_shown(self._conversations, conversation, member, shown)
        has_before = page.has_more
        if after is not None:
            earlier = await self._messages.page(
                conversation_id,
                before=shown[0].seq if shown else after + 1,
                after=None,
                limit=1,
                thread_seq=thread_seq,
            )
            has_before = bool(earlier.messages)
        highest = shown[-1].seq if shown else (before or last + 1) - 1
        return History(
            messages=shown,
            has_before=has_before,
            has_after=highest < last,
            has_more=page.has_more,
        )

    async def follow(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        thread_seq: int,
        *,
        is_following: bool,
    ) -> Thread:
        """Follow a thread, or stop; idempotent.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: No such message, or hidden, or itself an answer.

        Emits: thread.followed or thread.unfollowed, if it is another now.
        """
        _, member, root = await self._root(user_id, conversation_id, thread_seq)
        return await self._change(
            member, root, {"is_following": is_following, "is_undecided": False}
        )

    async def mark(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        thread_seq: int,
        seq: int,
    ) -> Thread:
        """Say how far a thread was read; the marker never goes back.

        The conversation's own marker is another one: a thread's messages are in both.

        Args:
            user_id: The reader.
            conversation_id: Where.
            thread_seq: Which thread.
            seq: Clipped to the thread's last answer.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: No such message, or hidden, or itself an answer.

        Emits: thread.read, if the marker moves.
        """
        _, member, root = await self._root(user_id, conversation_id, thread_seq)
        return await self._change(
            member, root, {"read_seq": min(seq, root.last_reply_seq or 0)}
        )

    async def _change(
        self, member: Member, root: Message, changed: Mapping[str, Any]
    ) -> Thread:
        """Store what changes, with the next revision of the user's own stream."""
        place = (root.conversation_id, root.seq, member.user_id)

        async def change(transaction: Transaction) -> None:
            session = transaction.session
            found = await self._threads.of_user(
                root.conversation_id, member.user_id, [root.seq], session=session
            )
            before = found.get(root.seq) or undecided(*place)
            after = msgspec.structs.replace(before, **changed)
            if after == before or after.read_seq < before.read_seq:
                return
            stored = await self._threads.put(after, session=session)
            transaction.publish(changed_event(before, stored))

        await self._bus.run_transaction(change)
        (thread,) = await self._seen_by(member, [root])
        return thread

    async def _root(
        self, user_id: UserId, conversation_id: ConversationId, thread_seq: int
    ) -> tuple[Conversation, Member, Message]:
        conversation, member = await require_access(
            self._conversations, user_id, conversation_id
        )
        root = await self._messages.get_by_seq(conversation_id, thread_seq)
        if root is None or root.seq < visible_from(conversation, member):
            raise MessageNotFoundError
        if root.thread_seq is not None:
            raise MessageNotFoundError
        await require_shown(self._conversations, conversation, member, [root])
        return conversation, member, root

    async def _seen_by(self, member: Member, roots: Sequence[Message]) -> list[Thread]:
        place = member.conversation_id
        seqs = [root.seq for root in roots]
        follows = await self._threads.of_user(place, member.user_id, seqs)
        followed = {seq: one for seq, one in follows.items() if one.is_following}
        unread = await self._threads.unread(
            place, {seq: one.read_seq for seq, one in followed.items()}
        )
        return [
            Thread(
                root=root,
                is_following=root.seq in followed,
                read_seq=follows[root.seq].read_seq if root.seq in follows else 0,
                unread=unread.get(root.seq, 0),
            )
            for root in roots
        ]
