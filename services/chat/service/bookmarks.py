"""Bookmarks: messages that a user wants to find again."""

import math
from collections.abc import Sequence

import msgspec

from libs.events import EventBus, Transaction
from libs.events.catalog.personal import BookmarkAdded, BookmarkRemoved
from libs.kernel import Clock, ConversationId, MessageId, UserId
from services.chat.domain.conversation import visible_from
from services.chat.domain.errors import (
    BookmarkNotFoundError,
    MessageIsDeletedError,
    MessageNotFoundError,
)
from services.chat.domain.message import Message
from services.chat.domain.permissions import Action
from services.chat.domain.personal import Bookmark, checked_note
from services.chat.ports import (
    BookmarkRepository,
    ConversationRepository,
    MessageRepository,
)
from services.chat.service.access import require_access


class Marked(msgspec.Struct, frozen=True):
    """A bookmark with its message.

    Attributes:
        message: None where the user can see it no longer: it was deleted, or the
            user left the conversation.
    """

    bookmark: Bookmark
    message: Message | None


class Bookmarks:
    """Use cases on bookmarks.

    Args:
        bus: Opens transactions.
        conversations: Conversations and members.
        messages: What is bookmarked.
        bookmarks: Where bookmarks are kept.
        clock: Gives ``added_at``.
    """

    def __init__(
        self,
        bus: EventBus,
        conversations: ConversationRepository,
        messages: MessageRepository,
        bookmarks: BookmarkRepository,
        *,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._conversations = conversations
        self._messages = messages
        self._bookmarks = bookmarks
        self._clock = clock

    async def add(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        message_id: MessageId,
        *,
        note: str | None,
    ) -> Marked:
        """Bookmark a message, or give its bookmark another note.

        Args:
            user_id: Whose.
            conversation_id: Where.
            message_id: What.
            note: At most 1,000 code points; empty or None: none.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            ConversationIsArchivedError: It is read-only.
            MessageNotFoundError: The conversation holds no such message.
            MessageIsDeletedError: It is a tombstone.
            TextTooLongError: The note is too long.

        Emits: bookmark.added.
        """
        checked = checked_note(note)
        conversation, member = await require_access(
            self._conversations, user_id, conversation_id, Action.BOOKMARK
        )
        message = await self._messages.get(conversation_id, message_id)
        if message is None or message.seq < visible_from(conversation, member):
            raise MessageNotFoundError
        if message.is_deleted:
            raise MessageIsDeletedError
        known = await self._bookmarks.get(user_id, message_id)
        is_known = known is not None and not known.is_removed
        if known is not None and is_known and known.note == checked:
            return Marked(known, message)
        new = Bookmark(
            user_id=user_id,
            conversation_id=conversation_id,
            message_id=message_id,
            seq=message.seq,
            note=checked,
            added_at=known.added_at if known and is_known else self._clock.now(),
        )
        return Marked(await self._stored(new), message)

    async def remove(self, user_id: UserId, message_id: MessageId) -> None:
        """Take a bookmark away, also of a message the user can see no longer.

        Raises:
            BookmarkNotFoundError: There is none.

        Emits: bookmark.removed.
        """
        known = await self._bookmarks.get(user_id, message_id)
        if known is None or known.is_removed:
            raise BookmarkNotFoundError
        await self._stored(msgspec.structs.replace(known, note=None, is_removed=True))

    async def page(
        self, user_id: UserId, *, before: int | None, limit: int
    ) -> tuple[list[Marked], int | None]:
        """Return a user's bookmarks, the last changed first, and where to go on.

        Four reads, however many they are.
        """
        found = await self._bookmarks.page(user_id, before=before, limit=limit + 1)
        shown = found[:limit]
        messages = await self._visible(user_id, shown)
        page = [
            Marked(bookmark, messages.get(bookmark.message_id)) for bookmark in shown
        ]
        return page, shown[-1].user_revision if len(found) > limit else None

    async def _visible(
        self, user_id: UserId, bookmarks: Sequence[Bookmark]
    ) -> dict[MessageId, Message]:
        if not bookmarks:
            return {}
        found = await self._messages.get_many([b.message_id for b in bookmarks])
        # Read after the messages: nothing is shown that is newer than a removal.
        places = sorted({message.conversation_id for message in found})
        stored = await self._conversations.get_many(places)
        there = {conversation.conversation_id: conversation for conversation in stored}
        joined = await self._conversations.memberships_in(user_id, list(there))
        first = {
            member.conversation_id: visible_from(there[member.conversation_id], member)
            for member in joined
        }
        return {
            message.message_id: message
            for message in found
            if not message.is_deleted
            and message.seq >= first.get(message.conversation_id, math.inf)
        }

    async def _stored(self, bookmark: Bookmark) -> Bookmark:
        async def change(transaction: Transaction) -> Bookmark:
            stored = await self._bookmarks.put(bookmark, session=transaction.session)
            event_class = BookmarkRemoved if bookmark.is_removed else BookmarkAdded
            transaction.publish(
                event_class(
                    user_id=stored.user_id,
                    user_revision=stored.user_revision,
                    conversation_id=stored.conversation_id,
                    message_id=stored.message_id,
                )
            )
            return stored

        return await self._bus.run_transaction(change)
