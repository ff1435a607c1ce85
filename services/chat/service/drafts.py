"""Drafts: what a user is writing, on every device of theirs."""

from libs.events import EventBus, Transaction
from libs.events.catalog.personal import DraftCleared, DraftSaved
from libs.kernel import Clock, ConversationId, UserId
from services.chat.domain.errors import DraftInvalidError
from services.chat.domain.permissions import Action
from services.chat.domain.personal import SavedDraft, check_draft_text
from services.chat.ports import ConversationRepository, DraftRepository
from services.chat.service.access import require_access


class Drafts:
    """Use cases on drafts; the last write wins, in the server's order.

    Args:
        bus: Opens transactions.
        conversations: Conversations and members.
        drafts: Where drafts are kept.
        clock: Gives ``saved_at``.
    """

    def __init__(
        self,
        bus: EventBus,
        conversations: ConversationRepository,
        drafts: DraftRepository,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._conversations = conversations
        self._drafts = drafts
        self._clock = clock

    async def save(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        text: str,
        *,
        thread_seq: int = 0,
    ) -> SavedDraft:
        """Store a draft in place of an earlier one.

        Args:
            user_id: Whose.
            conversation_id: Where.
            text: At most 16,000 code points and 32 KiB; an empty one clears.
            thread_seq: Of the message whose thread it is for; 0: none.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            ConversationIsArchivedError: It is read-only.
            DraftInvalidError: ``text_invalid`` or ``thread_not_found``.
            TextTooLongError: It is too long.

        Emits: draft.saved.
        """
        if not text.strip():
            return await self.clear(user_id, conversation_id, thread_seq=thread_seq)
        check_draft_text(text)
        conversation, _ = await require_access(
            self._conversations, user_id, conversation_id, Action.DRAFT
        )
        if thread_seq > conversation.last_seq:
            raise DraftInvalidError("thread_not_found", "There is no such message.")
        draft = self._draft(user_id, conversation_id, thread_seq, text)

        async def change(transaction: Transaction) -> SavedDraft:
            saved = await self._drafts.put(draft, session=transaction.session)
            transaction.publish(
                DraftSaved(
                    user_id=user_id,
                    user_revision=saved.user_revision,
                    conversation_id=conversation_id,
                    thread_seq=thread_seq,
                )
            )
            return saved

        return await self._bus.run_transaction(change)

    async def clear(
        self, user_id: UserId, conversation_id: ConversationId, *, thread_seq: int = 0
    ) -> SavedDraft:
        """Throw a draft away; one that is not there changes nothing.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.

        Emits: draft.cleared.
        """
        await require_access(self._conversations, user_id, conversation_id)
        known = await self._drafts.get(user_id, conversation_id, thread_seq)
        cleared = self._draft(user_id, conversation_id, thread_seq, None)
        if known is None or known.is_cleared:
            return known or cleared

        async def change(transaction: Transaction) -> SavedDraft:
            stored = await self._drafts.put(cleared, session=transaction.session)
            transaction.publish(
                DraftCleared(
                    user_id=user_id,
                    user_revision=stored.user_revision,
                    conversation_id=conversation_id,
                    thread_seq=thread_seq,
                )
            )
            return stored

        return await self._bus.run_transaction(change)

    async def page(
        self, user_id: UserId, *, before: int | None, limit: int
    ) -> tuple[list[SavedDraft], int | None]:
        """Return a user's drafts, the last changed first, and where to go on.

        Those of conversations that the user has left are not among them.
        """
        found = await self._drafts.page(user_id, before=before, limit=limit + 1)
        shown = found[:limit]
        joined = await self._conversations.memberships_in(
            user_id, sorted({draft.conversation_id for draft in shown})
        )
        visible = {member.conversation_id for member in joined}
        page = [draft for draft in shown if draft.conversation_id in visible]
        return page, shown[-1].user_revision if len(found) > limit else None

    def _draft(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        thread_seq: int,
        text: str | None,
    ) -> SavedDraft:
        return SavedDraft(
            user_id=user_id,
            conversation_id=conversation_id,
            thread_seq=thread_seq,
            text=text,
            saved_at=self._clock.now(),
            is_cleared=text is None,
        )
