"""Deleting a conversation: its keys at once, its documents afterwards."""

from collections.abc import Sequence

import msgspec

from libs.events import EventBus, Transaction
from libs.events.catalog.conversation import ConversationDeleted
from libs.kernel import Clock, ConversationId, UserId
from services.chat.domain.conversation import Conversation, Member
from services.chat.domain.job import Job, JobKind, Step
from services.chat.domain.permissions import Action
from services.chat.ports import (
    ConversationRepository,
    EraserStore,
    JobStore,
    MessageWriter,
)
from services.chat.service.access import require_access
from services.chat.service.recording import Act, Recorder
from services.chat.service.transactions import run_change

_BATCH = 500
_MEMBERS = 50


class Deletion:
    """The use case of deleting, and the job that follows it.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        eraser: Deletes documents.
        jobs: Where the job is kept.
        writer: Told that sends cannot go on.
        recorder: Keeps who did it.
        clock: Gives the times.
    """

    kind = JobKind.PURGE

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        eraser: EraserStore,
        jobs: JobStore,
        *,
        writer: MessageWriter,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._eraser = eraser
        self._jobs = jobs
        self._writer = writer
        self._recorder = recorder
        self._clock = clock

    async def delete(self, user_id: UserId, conversation_id: ConversationId) -> None:
        """Delete a conversation for everybody and for good.

        Its data keys are destroyed in the same commit: nothing of it opens again,
        wherever a copy lies. The id stays taken by a tombstone. A send that is under
        way is refused as if the conversation had never been.

        Raises:
            ConversationNotFoundError: Missing, or the user is not a member.
            NotPermittedError: The user is no owner, or it is a direct conversation:
                what two people said to each other is not one's alone to destroy.
            MembershipIsManagedError: It goes when its project goes.

        Emits: conversation.deleted. Source: security.md CR-5.
        """

        async def change(transaction: Transaction) -> None:
            before, _ = await require_access(
                self._repository,
                user_id,
                conversation_id,
                Action.DELETE,
                session=transaction.session,
            )
            await self._destroy(transaction, before, user_id)

        await run_change(self._bus, change)
        self._writer.forget(conversation_id)

    async def delete_with_project(self, conversation_id: ConversationId) -> None:
        """Delete a conversation because its project is; one that is gone stays so.

        Emits: conversation.deleted, by nobody.
        """

        async def change(transaction: Transaction) -> None:
            before = await self._repository.get(
                conversation_id, session=transaction.session
            )
            if before is not None:
                await self._destroy(transaction, before, None)

        await run_change(self._bus, change)
        self._writer.forget(conversation_id)

    async def step(self, job: Job) -> Step:
        """End the memberships first, then delete documents, a batch at a time."""
        conversation_id = ConversationId(job.subject)
        members = await self._repository.members_page(
            conversation_id, after="", limit=_MEMBERS
        )
        if members:
            await self._bus.run_transaction(lambda t: self._end(t, members))
            return Step("", len(members))
        purged = await self._eraser.purge_conversation(conversation_id, limit=_BATCH)
        return Step("" if purged else None, purged)

    def conclude(self, transaction: Transaction, job: Job) -> None:
        """Tell nobody: the deletion was told when it was committed."""
        del transaction, job

    async def _destroy(
        self, transaction: Transaction, before: Conversation, deleted_by: UserId | None
    ) -> None:
        """Destroy the keys, leave a tombstone, and ask for the rest to be purged."""
        session = transaction.session
        after = msgspec.structs.replace(
            before,
            revision=before.revision + 1,
            members_version=before.members_version + 1,
        )
        await self._repository.delete(after, before=before, session=session)
        await self._jobs.add(self._purge(before.conversation_id), session=session)
        transaction.publish(
            ConversationDeleted(
                conversation_id=before.conversation_id,
                revision=after.revision,
                deleted_by=deleted_by,
            )
        )
        await self._recorder.record(
            transaction, Act.DELETED, before.conversation_id, deleted_by
        )

    def _purge(self, conversation_id: ConversationId) -> Job:
        now = self._clock.now()
        return Job(kind=JobKind.PURGE, subject=conversation_id, created_at=now)

    async def _end(self, transaction: Transaction, members: Sequence[Member]) -> None:
        """End memberships, so that the conversation leaves every list."""
        for member in members:
            ended = msgspec.structs.replace(member, is_active=False)
            await self._repository.put_member(ended, session=transaction.session)
