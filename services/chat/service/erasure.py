"""Erasing a user who is gone: memberships, messages, and what was their own.

What others said stays, and so does the order of it: a message of the user becomes a
tombstone, in its place and with a revision of its own, as if its sender had deleted
it. The user's id stays in it, a pseudonym that nothing resolves any more.
"""

from functools import partial

import msgspec

from libs.events import EventBus, Transaction
from libs.events.catalog import ErasureCompleted
from libs.kernel import Clock, ConversationId, MessageId, UserId
from services.chat.domain.conversation import Conversation, Member
from services.chat.domain.job import Job, JobKind, Step
from services.chat.domain.message import tombstone
from services.chat.domain.message_events import deleted_event
from services.chat.ports import (
    ConversationRepository,
    EraserStore,
    JobStore,
    MessageRepository,
    MessageWriter,
)
from services.chat.service.membership import MembershipChanges
from services.chat.service.removals import Removals
from services.chat.service.transactions import run_change

_MEMBERSHIPS = 20
_MESSAGES = 50
_DOCUMENTS = 500
_TALKING = "messages:"
_OWN = "own"


class Erasure:
    """The job that erases a user, in three parts: leaving, messages, own documents.

    Each part repeats harmlessly what it has done already.

    Args:
        bus: Opens transactions.
        repository: Conversations and members.
        messages: What the user said.
        eraser: Finds and deletes documents.
        jobs: Where the job is kept.
        changes: Takes the user out, and passes ownership on.
        writer: Told when a conversation moved.
        removals: Told where the user was taken out.
        clock: Gives the times.
    """

    kind = JobKind.ERASE

    def __init__(
        self,
        bus: EventBus,
        repository: ConversationRepository,
        messages: MessageRepository,
        eraser: EraserStore,
        jobs: JobStore,
        *,
        changes: MembershipChanges,
        writer: MessageWriter,
        removals: Removals,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._repository = repository
        self._messages = messages
        self._eraser = eraser
        self._jobs = jobs
        self._changes = changes
        self._writer = writer
        self._removals = removals
        self._clock = clock

    async def request(self, transaction: Transaction, user_id: UserId) -> None:
        """Ask for a user's erasure; asking twice is asking once."""
        now = self._clock.now()
        job = Job(kind=JobKind.ERASE, subject=user_id, created_at=now)
        await self._jobs.add(job, session=transaction.session)

    async def step(self, job: Job) -> Step:
        """Do the next part of it."""
        user_id = UserId(job.subject)
        if job.cursor == _OWN:
            purged = await self._eraser.purge_user(user_id, limit=_DOCUMENTS)
            return Step(_OWN if purged else None, purged)
        if job.cursor.startswith(_TALKING):
            return await self._erase_messages(user_id, job.cursor)
        left = await self._leave_some(user_id)
        return Step("" if left else _TALKING, left)

    def conclude(self, transaction: Transaction, job: Job) -> None:
        """Report chat's part of the deletion."""
        transaction.publish(
            ErasureCompleted(user_id=job.subject, service="chat", erased_count=job.done)
        )

    async def _leave_some(self, user_id: UserId) -> int:
        """Take the user out of some conversations; return of how many."""
        memberships = await self._repository.memberships_page(
            user_id, before=None, limit=_MEMBERSHIPS
        )
        for member in memberships:
            place = member.conversation_id
            revision = await run_change(self._bus, partial(self._leave, member))
            self._writer.forget(place)
            if revision:
                await self._removals.announce(place, user_id, revision)
        return len(memberships)

    async def _leave(self, member: Member, transaction: Transaction) -> int:
        """Return the revision of leaving; 0 where the conversation is deleted."""
        place, session = member.conversation_id, transaction.session
        conversation = await self._repository.get(place, session=session)
        now = await self._repository.get_member(place, member.user_id, session=session)
        if now is None or not now.is_active:
            return 0
        if conversation is None:
            ended = msgspec.structs.replace(now, is_active=False)
            await self._repository.put_member(ended, session=session)
            return 0
        conversation = await self._changes.pass_on(transaction, conversation, now)
        removed = await self._changes.take_out(
            transaction, conversation, now, removed_by=None
        )
        return removed.revision

    async def _erase_messages(self, user_id: UserId, cursor: str) -> Step:
        """Erase some messages of the next conversation that has any."""
        after = cursor.removeprefix(_TALKING)
        place = await self._eraser.place_after(user_id, after)
        if place is None:
            return Step(_OWN, 0)
        erase = partial(self._erase_some, place, user_id)
        erased = await run_change(self._bus, erase)
        self._writer.forget(place)
        if not erased:
            erased = await self._eraser.purge_stubs(user_id, place, limit=_DOCUMENTS)
        return Step(cursor if erased else f"{_TALKING}{place}", erased)

    async def _erase_some(
        self, place: ConversationId, user_id: UserId, transaction: Transaction
    ) -> int:
        session = transaction.session
        before = await self._repository.get(place, session=session)
        if before is None:
            return 0
        ids = await self._eraser.sent_by(
            user_id, place, limit=_MESSAGES, session=session
        )
        after = msgspec.structs.replace(before, revision=before.revision + len(ids))
        if ids:
            await self._repository.replace(after, before=before, session=session)
            await self._eraser.forget_versions(ids, session=session)
        for number, message_id in enumerate(ids, start=1):
            await self._erase(transaction, before, message_id, number)
        return len(ids)

    async def _erase(
        self,
        transaction: Transaction,
        before: Conversation,
        message_id: MessageId,
        number: int,
    ) -> None:
        message = await self._messages.get(
            before.conversation_id, message_id, session=transaction.session
        )
        if message is not None:
            gone = tombstone(message, before.revision + number)
            await self._messages.replace(gone, session=transaction.session)
            transaction.publish(deleted_event(gone, message.sender_id))
