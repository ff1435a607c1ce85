"""Sending, reading, editing and deleting messages."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from libs.events import Transaction
from libs.events.catalog.message import MessageEdited
from libs.kernel import (
    AppError,
    Clock,
    ConversationId,
    EventId,
    MessageId,
    UserId,
    new_id,
)
from services.chat.domain.conversation import Conversation, Member, visible_from
from services.chat.domain.errors import (
    EditWindowClosedError,
    MessageIsDeletedError,
)
from services.chat.domain.limits import Limits
from services.chat.domain.message import (
    Draft,
    MentionKind,
    Message,
    MessageChange,
    Version,
    check_draft,
    check_mentions,
    check_text,
    encode_body,
    tombstone,
)
from services.chat.domain.message_events import deleted_event, edited_event
from services.chat.domain.permissions import Action
from services.chat.ports import (
    ConversationRepository,
    MessageRepository,
    MessageWriter,
    TransportSealer,
    VersionRepository,
)
from services.chat.service.access import require_access, require_shown
from services.chat.service.draft_checks import DraftChecks
from services.chat.service.history import History, history_of
from services.chat.service.message_changes import MessageChanges, Seen
from services.chat.service.recording import Act


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What an edited message says now."""

    text: str
    mentions: tuple[UserId, ...] = ()
    mention_kinds: tuple[MentionKind, ...] = ()


class Messages:
    """Use cases on messages.

    Args:
        changes: Changes stored ones.
        conversations: Conversations and members.
        messages: Stored messages.
        versions: What edited ones said before.
        checks: Checks what a message refers to.
        writer: Appends new ones.
        sealer: Seals the content of events.
        clock: Gives the times.
        limits: See `Limits`.
    """

    def __init__(
        self,
        changes: MessageChanges,
        conversations: ConversationRepository,
        messages: MessageRepository,
        versions: VersionRepository,
        checks: DraftChecks,
        *,
        writer: MessageWriter,
        sealer: TransportSealer,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._changes = changes
        self._conversations = conversations
        self._messages = messages
        self._versions = versions
        self._checks = checks
        self._writer = writer
        self._sealer = sealer
        self._clock = clock
        self._limits = limits

    async def send(self, draft: Draft) -> Message:
        """Append a message and assign its sequence; idempotent on client_message_id.

        The sender's own read marker moves with it.

        Returns:
            The stored message; sequence is contiguous per conversation, from 1.

        Raises:
            DraftInvalidError: The draft can never be stored.
            TextTooLongError: It is too long.
            AppError: See `DraftChecks.resolved` and `MessageWriter.submit`.

        Emits: message.sent. Source: ADR 0009.
        """
        check_draft(draft)
        try:
            resolved = await self._checks.resolved(draft)
        except AppError:
            key = (draft.sender_id, draft.conversation_id, draft.client_message_id)
            stored = await self.sent(*key)
            if stored is None:
                raise
            return stored
        return await self._writer.submit(resolved)

    async def sent(
        self, user_id: UserId, conversation_id: ConversationId, client_message_id: str
    ) -> Message | None:
        """Return what a client's message became; None: nothing is stored.

        What was sent stays sent, whatever it refers to has become since.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
        """
        await require_access(self._conversations, user_id, conversation_id)
        key = (conversation_id, user_id, client_message_id)
        return await self._messages.find_sent(*key)

    async def get(
        self, user_id: UserId, conversation_id: ConversationId, message_id: MessageId
    ) -> Message:
        """Return one message.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: Missing, or hidden from the user.
        """
        seen = await self._changes.see(user_id, conversation_id, message_id)
        return seen.message

    async def page(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        *,
        limit: int,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
    ) -> History:
        """Return a page of history, at most `limit` messages in the order of seq.

        Args:
            user_id: Who reads.
            conversation_id: What.
            limit: At least 1.
            before: The page ends right below this seq.
            after: The page begins right above this seq.
            around: The page has this seq in its middle. At most one of the three is
                given; none: the newest page.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
        """
        seen = await require_access(self._conversations, user_id, conversation_id)
        conversation, member = seen
        if around is not None:
            history = await self._around(conversation, member, around, limit)
            await require_shown(self._conversations, *seen, history.messages)
            return history
        page = await self._messages.page(
            conversation_id,
            before=before,
            after=after,
            limit=limit,
            visible_from_seq=visible_from(conversation, member),
        )
        await require_shown(self._conversations, *seen, page.messages)
        edges = (before, after)
        return history_of(page.messages, page.has_more, edges, conversation, member)

    async def _around(
        self, conversation: Conversation, member: Member, around: int, limit: int
    ) -> History:
        """Return what is up to a seq, and a little less of what is above it."""
        place, hidden = conversation.conversation_id, visible_from(conversation, member)
        above = limit // 2
        page = await self._messages.page(
            place,
            before=around + 1,
            after=None,
            limit=limit - above,
            visible_from_seq=hidden,
        )
        messages, has_more = page.messages, page.has_more
        if above:
            upper = await self._messages.page(
                place, before=None, after=around, limit=above, visible_from_seq=hidden
            )
            messages += upper.messages
            has_more |= upper.has_more
        return history_of(messages, has_more, (None, None), conversation, member)

    async def edit(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        message_id: MessageId,
        edit: Edit,
    ) -> Message:
        """Change an own message; what it said before is kept as a version.

        Whoever may not send now may not edit either. An edit that says the same changes
        nothing.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: The conversation holds no such message.
            NotPermittedError: It is somebody else's.
            MessageIsDeletedError: It is a tombstone.
            EditWindowClosedError: It is too old.
            SlowModeError: The user has said something not long ago.
            DraftInvalidError: The new text can never be stored.

        Emits: message.edited.
        """
        check_mentions(edit.mentions)

        async def step(transaction: Transaction, seen: Seen) -> Message | None:
            seen.require_own_or(Action.EDIT_OWN, None)
            self._check_edit(seen.message, edit)
            edited = self._edited(seen, edit)
            if edited is None:
                return None
            await self._checks.check_pace(
                seen.conversation,
                seen.member,
                self._clock.now(),
                session=transaction.session,
            )
            await self._checks.check_mentions(
                seen.conversation,
                seen.member,
                edit.mentions,
                edit.mention_kinds,
                session=transaction.session,
            )
            await self._keep(seen.message, transaction)
            self._publish_edited(transaction, edited)
            return edited

        return await self._changes.run(user_id, conversation_id, message_id, step)

    async def delete(
        self, user_id: UserId, conversation_id: ConversationId, message_id: MessageId
    ) -> None:
        """Turn a message into a tombstone, with all it ever said; one that is, stays.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: The conversation holds no such message.
            NotPermittedError: It is somebody else's and the role does not allow it.

        Emits: message.deleted.
        """

        async def step(transaction: Transaction, seen: Seen) -> Message | None:
            seen.require_own_or(Action.DELETE_OWN, Action.DELETE_ANY)
            if seen.message.is_deleted:
                return None
            gone = tombstone(seen.message, seen.next_revision)
            await self._versions.remove_all(message_id, session=transaction.session)
            transaction.publish(deleted_event(gone, user_id))
            await self._changes.record(transaction, Act.MESSAGE_DELETED, seen)
            return gone

        await self._changes.run(user_id, conversation_id, message_id, step)

    async def versions(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        message_id: MessageId,
        *,
        before: int | None,
        limit: int,
    ) -> tuple[Sequence[Version], int | None]:
        """Return what a message said before its edits, the newest first.

        Its author sees it, and who may delete anybody's message.

        Args:
            user_id: Who asks.
            conversation_id: Where the message is.
            message_id: Which one.
            before: Number of a version; only older ones. None: all.
            limit: At least 1.

        Returns:
            The versions, and the number to go on from; None: there are no more.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            MessageNotFoundError: Missing, or hidden from the user.
            NotPermittedError: It is somebody else's.
        """
        seen = await self._changes.see(user_id, conversation_id, message_id)
        seen.require_own_or(Action.READ, Action.DELETE_ANY)
        await self._changes.record(None, Act.VERSIONS_READ, seen)
        found = await self._versions.page(seen.message, before=before, limit=limit + 1)
        shown = found[:limit]
        return shown, shown[-1].number if len(found) > limit else None

    def _edited(self, seen: Seen, edit: Edit) -> Message | None:
        """Return the message as an edit makes it; None: it says so already."""
        said = msgspec.structs.replace(
            seen.message,
            text=edit.text,
            mentions=edit.mentions,
            mention_kinds=edit.mention_kinds,
        )
        if said == seen.message:
            return None
        return msgspec.structs.replace(
            said,
            edited_at=self._clock.now(),
            edit_count=said.edit_count + 1,
            last_change=MessageChange.EDITED,
            revision=seen.next_revision,
        )

    def _check_edit(self, message: Message, edit: Edit) -> None:
        if message.is_deleted:
            raise MessageIsDeletedError
        check_text(edit.text, is_empty_allowed=bool(message.attachments))
        window_seconds = self._limits.edit_window_seconds
        age = self._clock.now() - message.sent_at
        if 0 < window_seconds < age.total_seconds():
            raise EditWindowClosedError(window_seconds)

    async def _keep(self, message: Message, transaction: Transaction) -> None:
        """Keep what a message says before its edit, for as long as is wanted."""
        now, days = self._clock.now(), self._limits.edit_history_days
        version = Version(
            number=message.edit_count + 1,
            text=message.text or "",
            written_at=message.edited_at or message.sent_at,
        )
        await self._versions.add(
            message,
            version,
            expires_at=now + timedelta(days=days) if days else None,
            kept=self._limits.edits_kept,
            session=transaction.session,
        )

    def _publish_edited(self, transaction: Transaction, message: Message) -> None:
        event_id = EventId(new_id())
        context = (event_id, MessageEdited.event_type, "content")
        content = self._sealer.seal(
            encode_body(message.text or ""), *context, message.conversation_id
        )
        transaction.publish(edited_event(message, content), event_id=event_id)
