"""Reading and changing conversations."""

import heapq
from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from libs.events import EventBus, Transaction
from libs.kernel import ConversationId, UserId
from services.chat.domain.amendment import Amendment, amended
from services.chat.domain.conversation import Conversation, Member
from services.chat.domain.limits import Limits
from services.chat.domain.permissions import Action, require
from services.chat.ports import (
    ActiveAt,
    ConversationRepository,
    JoinedAt,
    MessageWriter,
)
from services.chat.service.access import require_access
from services.chat.service.announcements import Announcements
from services.chat.service.collaborators import require_project_open
from services.chat.service.recording import Act, Recorder
from services.chat.service.system_messages import SystemMessages, notices_of
from services.chat.service.transactions import run_change

_ACTIVE_MAX = 10_000


class Membership(msgspec.Struct, frozen=True):
    """A conversation as one member sees it."""

    conversation: Conversation
    member: Member


class Conversations:
    """Use cases on conversations.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        writer: Told when another path than its own moved a conversation.
        announcements: Publishes the events.
        system: Tells the members in the conversation itself.
        recorder: Keeps who changed them.
        limits: See `Limits`.
    """

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        *,
        writer: MessageWriter,
        announcements: Announcements,
        system: SystemMessages,
        recorder: Recorder,
        limits: Limits,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._writer = writer
        self._announcements = announcements
        self._system = system
        self._recorder = recorder
        self._limits = limits

    async def get(self, user_id: UserId, conversation_id: ConversationId) -> Membership:
        """Return a conversation as a member sees it.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
        """
        return Membership(
            *await require_access(self._repository, user_id, conversation_id)
        )

    async def get_among(
        self, user_id: UserId, conversation_ids: Sequence[ConversationId]
    ) -> dict[ConversationId, Membership]:
        """Return those of the conversations that the user is a member of.

        Two reads, however many they are. Membership is read after the conversations:
        who was removed before the revision that is returned is never a member.
        """
        found = await self._repository.get_many(conversation_ids)
        members = await self._repository.memberships_in(
            user_id, [conversation.conversation_id for conversation in found]
        )
        by_id = {conversation.conversation_id: conversation for conversation in found}
        return {
            member.conversation_id: Membership(by_id[member.conversation_id], member)
            for member in members
        }

    async def require_sender(
        self, user_id: UserId, conversation_id: ConversationId
    ) -> None:
        """Check that a user could send now: only who may talk is seen to type.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            AppError: See `services.chat.domain.permissions.require`.
        """
        await require_access(self._repository, user_id, conversation_id, Action.SEND)

    async def page(
        self, user_id: UserId, *, before: JoinedAt | None, limit: int
    ) -> tuple[list[Membership], JoinedAt | None]:
        """Return a user's conversations, the last joined first, and where to go on."""
        memberships = await self._repository.memberships_page(
            user_id, before=before, limit=limit + 1
        )
        shown = memberships[:limit]
        found = await self._repository.get_many([m.conversation_id for m in shown])
        by_id = {conversation.conversation_id: conversation for conversation in found}
        page = [
            Membership(by_id[member.conversation_id], member)
            for member in shown
            if member.conversation_id in by_id
        ]
        if len(memberships) <= limit:
            return page, None
        return page, JoinedAt(shown[-1].joined_at, shown[-1].conversation_id)

    async def page_by_activity(
        self, user_id: UserId, *, before: ActiveAt | None, limit: int
    ) -> tuple[list[Membership], ActiveAt | None]:
        """Return a user's conversations, the last active first, and where to go on.

        What is said meanwhile moves a conversation to the front, out of a later page.
        """
        active = await self._repository.activity(user_id, limit=_ACTIVE_MAX)
        below = [place for place in active if before is None or place < before]
        shown = heapq.nlargest(limit + 1, below)
        seen = await self.get_among(user_id, [p.conversation_id for p in shown[:limit]])
        page = [
            seen[p.conversation_id] for p in shown[:limit] if p.conversation_id in seen
        ]
        return page, shown[limit - 1] if len(shown) > limit else None

    async def change(
        self, user_id: UserId, conversation_id: ConversationId, amendment: Amendment
    ) -> Membership:
        """Change what of a conversation is asked for, all of it or nothing.

        What is so already changes nothing.

        Raises:
            ConversationNotFoundError: See `get`.
            NotPermittedError: The role does not allow it.
            ConversationIsArchivedError: It is read-only; it may be brought back.
            DraftInvalidError: See `amended`.
            ProjectIsArchivedError: It cannot come back: its project is archived.

        Emits: conversation.updated, conversation.archived.
        """

        async def change(transaction: Transaction) -> Membership:
            before, member = await require_access(
                self._repository, user_id, conversation_id, session=transaction.session
            )
            now = before
            for action in _actions_of(amendment):
                require(before, member, action)
            amendable = amended(before, amendment, self._limits)
            if amendable != before:
                now = _moved(amendable)
                self._announcements.updated(transaction, now, user_id)
            if amendment.is_archived not in (UNSET, now.is_archived):
                now = await self._archived(transaction, now)
                self._announcements.archived(transaction, now, user_id)
            if now != before:
                await self._repository.replace(
                    now, before=before, session=transaction.session
                )
            await self._record(transaction, before, now, user_id)
            for notice in notices_of(before, now):
                now = await self._system.post(transaction, now, user_id, notice)
            return Membership(now, member)

        result = await run_change(self._bus, change)
        self._writer.forget(conversation_id)
        return result

    async def _record(
        self,
        transaction: Transaction,
        before: Conversation,
        now: Conversation,
        user_id: UserId,
    ) -> None:
        place, changed = now.conversation_id, _changed(before, now)
        if before.is_archived != now.is_archived:
            act = Act.ARCHIVED if now.is_archived else Act.RESTORED
            await self._recorder.record(transaction, act, place, user_id)
        if changed:
            fields = " ".join(changed)
            await self._recorder.record(
                transaction, Act.UPDATED, place, user_id, changed=fields
            )

    async def _archived(
        self, transaction: Transaction, before: Conversation
    ) -> Conversation:
        """Return it archived, or brought back."""
        if before.is_archived and before.project_id is not None:
            await require_project_open(
                self._repository, before.project_id, session=transaction.session
            )
        return _moved(
            before, is_archived=not before.is_archived, is_archived_by_project=False
        )


def _moved(conversation: Conversation, **fields: object) -> Conversation:
    """Return the conversation one revision later, with other fields of its own."""
    revision = conversation.revision + 1
    return msgspec.structs.replace(
        conversation, revision=revision, changed_revision=revision, **fields
    )


def _changed(before: Conversation, after: Conversation) -> list[str]:
    """Return the names of the fields that differ, but for what counts and archives."""
    return [
        name
        for name in Conversation.__struct_fields__
        if not name.endswith("revision")
        and not name.startswith("is_archived")
        and getattr(before, name) != getattr(after, name)
    ]


def _actions_of(amendment: Amendment) -> list[Action]:
    """Return every action that an amendment is, the most visible first."""
    asked = {
        Action.UPDATE: amendment.changes_profile,
        Action.CONFIGURE: amendment.changes_rules,
        Action.ARCHIVE: amendment.is_archived is not UNSET,
    }
    return [action for action, is_asked in asked.items() if is_asked]
