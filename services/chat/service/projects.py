"""A project's conversations, as ``project.*`` events tell.

``general`` follows the events alone, which may come in any order and more than once:
whichever is first opens it, and each membership keeps the revision of the last fact
applied to it. The project's other channels lose who leaves the project, become
read-only with it, and are deleted with it. The writer is told nothing: it finds out by
its compare-and-set.
"""

from collections.abc import AsyncIterator

import msgspec

from libs.events import EventBus, Transaction
from libs.kernel import Clock, ConflictError, ConversationId, ProjectId, UserId
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Member,
    Role,
    general_id,
    general_key,
    joined,
)
from services.chat.domain.errors import ConversationBusyError
from services.chat.domain.job import Job, JobKind
from services.chat.ports import ConversationRepository, JobStore
from services.chat.service.announcements import Announcements
from services.chat.service.membership import (
    MembershipChanges,
    added_event,
    role_event,
    store_membership,
)
from services.chat.service.removals import Removals
from services.chat.service.transactions import run_change

TITLE = "general"
_PAGE = 200
_ROLES = {"owner": Role.OWNER, "admin": Role.ADMIN, "collaborator": Role.MEMBER}


class ProjectChannels:
    """Keeps the channels of projects as their events tell.

    Args:
        bus: Opens the transactions of what concerns more than one conversation.
        repository: Conversations and members.
        jobs: Where it is kept that conversations are to be deleted.
        changes: Takes out, and passes ownership on.
        announcements: Publishes the events.
        removals: Told who was taken out of a channel.
        clock: Gives the times.
    """

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        jobs: JobStore,
        *,
        changes: MembershipChanges,
        announcements: Announcements,
        removals: Removals,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._jobs = jobs
        self._changes = changes
        self._announcements = announcements
        self._removals = removals
        self._clock = clock

    async def put_collaborator(
        self,
        transaction: Transaction,
        project_id: ProjectId,
        user_id: UserId,
        *,
        role: str,
        revision: int,
    ) -> None:
        """Make a collaborator a member, or change the member's role.

        The user need not be known to chat yet.

        Args:
            transaction: The event's own.
            project_id: Whose channel.
            user_id: Who.
            role: owner, admin or collaborator.
            revision: The project's; a fact that is not newer changes nothing.

        Emits: conversation.member_added or conversation.role_changed.
        """
        conversation = await self._channel(transaction, project_id)
        if conversation is None:
            return
        known = await self._member(transaction, conversation, user_id)
        if known is not None and known.project_revision >= revision:
            return
        given = _ROLES.get(role, Role.MEMBER)
        member = self._joined(conversation, user_id, given, revision)
        if known is not None and known.is_active:
            member = msgspec.structs.replace(
                known,
                role=given,
                revision=member.revision,
                project_revision=revision,
            )
        await store_membership(
            self._repository, conversation, member, session=transaction.session
        )
        is_new = known is None or not known.is_active
        transaction.publish(
            added_event(member, None) if is_new else role_event(member, None)
        )

    async def remove_collaborator(
        self, project_id: ProjectId, user_id: UserId, *, revision: int
    ) -> None:
        """Take a collaborator out of every conversation of the project.

        ``general`` is first, each in a commit of its own: a channel that is opened
        meanwhile either finds the user gone or is found here. One that was never in
        ``general`` leaves a tombstone there, which keeps an older "added" that comes
        later from undoing it. To be repeated until it returns.

        Emits: conversation.member_removed, for each conversation.
        """

        async def leave_general(transaction: Transaction) -> bool:
            return await self._leave_general(transaction, project_id, user_id, revision)

        if not await run_change(self._bus, leave_general):
            return
        async for page in self._pages(project_id):
            joined = await self._repository.memberships_in(user_id, page)
            for member in joined:
                await self._leave(project_id, member)

    async def archive(
        self, project_id: ProjectId, *, is_archived: bool, revision: int
    ) -> None:
        """Make every conversation of the project read-only, or bring them back.

        What was archived by hand before stays so. To be repeated until it returns.

        Emits: conversation.archived, for each conversation that changes.
        """

        async def archive_general(transaction: Transaction) -> bool:
            general = await self._channel(transaction, project_id)
            if general is None:
                return False
            await self._archive(
                transaction, general, is_archived=is_archived, revision=revision
            )
            return general.project_revision <= revision

        if not await run_change(self._bus, archive_general):
            return
        async for page in self._pages(project_id):
            for conversation_id in page:
                await self._archive_one(
                    conversation_id, is_archived=is_archived, revision=revision
                )

    async def dissolve(self, project_id: ProjectId, *, revision: int) -> None:
        """Close a deleted project, and ask for its conversations to be deleted.

        ``general`` becomes read-only at once, so nobody opens another channel. To be
        repeated until it returns; a project that is gone already stays so.

        Emits: conversation.archived. Source: security.md CR-5.
        """

        async def close(transaction: Transaction) -> None:
            general = await self._channel(transaction, project_id)
            if general is None:
                return
            await self._archive(
                transaction, general, is_archived=True, revision=revision
            )
            now = self._clock.now()
            job = Job(kind=JobKind.DISSOLVE, subject=project_id, created_at=now)
            await self._jobs.add(job, session=transaction.session)

        await run_change(self._bus, close)

    async def _leave_general(
        self,
        transaction: Transaction,
        project_id: ProjectId,
        user_id: UserId,
        revision: int,
    ) -> bool:
        """Return False if a newer fact about the user is known."""
        conversation = await self._channel(transaction, project_id)
        if conversation is None:
            return False
        known = await self._member(transaction, conversation, user_id)
        if known is not None and known.project_revision >= revision:
            return known.project_revision == revision
        base = known or self._joined(conversation, user_id, Role.MEMBER, revision)
        await self._changes.take_out(
            transaction,
            conversation,
            msgspec.structs.replace(base, project_revision=revision),
            removed_by=None,
        )
        return True

    async def _leave(self, project_id: ProjectId, member: Member) -> None:
        user_id, conversation_id = member.user_id, member.conversation_id
        general = general_id(project_id)

        async def leave(transaction: Transaction) -> int:
            session = transaction.session
            conversation = await self._repository.get(conversation_id, session=session)
            if conversation is None or await self._repository.members_among(
                general, [user_id], session=session
            ):
                return 0  # came back to the project meanwhile
            now = await self._member(transaction, conversation, user_id)
            if now is None or not now.is_active:
                return 0
            conversation = await self._changes.pass_on(transaction, conversation, now)
            removed = await self._changes.take_out(
                transaction, conversation, now, removed_by=None
            )
            return removed.revision

        revision = await run_change(self._bus, leave)
        if revision:
            await self._removals.announce(conversation_id, user_id, revision)

    async def _archive_one(
        self, conversation_id: ConversationId, *, is_archived: bool, revision: int
    ) -> None:
        async def archive(transaction: Transaction) -> None:
            conversation = await self._repository.get(
                conversation_id, session=transaction.session
            )
            if conversation is not None:
                await self._archive(
                    transaction,
                    conversation,
                    is_archived=is_archived,
                    revision=revision,
                )

        await run_change(self._bus, archive)

    async def _archive(
        self,
        transaction: Transaction,
        before: Conversation,
        *,
        is_archived: bool,
        revision: int,
    ) -> None:
        """Apply a fact to one conversation; its revision is kept in any case."""
        if revision <= before.project_revision:
            return
        after = msgspec.structs.replace(before, project_revision=revision)
        is_changing = before.is_archived != is_archived and (
            is_archived or before.is_archived_by_project
        )
        if is_changing:
            after = msgspec.structs.replace(
                after,
                is_archived=is_archived,
                is_archived_by_project=is_archived,
                revision=before.revision + 1,
                changed_revision=before.revision + 1,
            )
            self._announcements.archived(transaction, after, None)
        await self._repository.replace(
            after, before=before, session=transaction.session
        )

    async def _pages(
        self, project_id: ProjectId
    ) -> AsyncIterator[list[ConversationId]]:
        """Yield the project's conversations but ``general``, in pages."""
        after = ""
        while page := await self._repository.of_project(
            project_id, after=after, limit=_PAGE
        ):
            yield [c for c in page if c != general_id(project_id)]
            after = page[-1]

    async def _channel(
        self, transaction: Transaction, project_id: ProjectId
    ) -> Conversation | None:
        """Return the project's channel, opening it without members if need be.

        None: it went with its project, and no fact about it matters any more.
        """
        conversation_id = general_id(project_id)
        session = transaction.session
        known = await self._repository.get(conversation_id, session=session)
        if known is not None:
            return known
        if await self._repository.is_deleted(conversation_id, session=session):
            return None
        conversation = Conversation(
            conversation_id=conversation_id,
            kind=ConversationKind.CHANNEL,
            title=TITLE,
            project_id=project_id,
            created_by=None,
            created_at=self._clock.now(),
            is_managed=True,
            unique_key=general_key(project_id),
        )
        try:
            await self._repository.insert(conversation, [], session=session)
        except ConflictError as error:  # another process handles another event of it
            raise ConversationBusyError from error
        self._announcements.created(transaction, conversation, [], {})
        return conversation

    async def _member(
        self, transaction: Transaction, conversation: Conversation, user_id: UserId
    ) -> Member | None:
        return await self._repository.get_member(
            conversation.conversation_id, user_id, session=transaction.session
        )

    def _joined(
        self, conversation: Conversation, user_id: UserId, role: Role, revision: int
    ) -> Member:
        return joined(
            conversation, user_id, role, self._clock.now(), project_revision=revision
        )
