"""Retention: what is too old goes, as one change a conversation and run."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import msgspec
import pytest

from libs.events.catalog.conversation import ConversationTrimmed
from libs.events.catalog.message import MessageSent
from libs.kernel import ConflictError, new_id
from services.chat.domain.amendment import Amendment, amended
from services.chat.domain.conversation import Role, unread_count
from services.chat.domain.errors import DraftInvalidError, MessageNotFoundError
from services.chat.domain.limits import Limits
from services.chat.repository.memory.retention import MemoryRetentionStore
from services.chat.service.retention import Retention
from tests.unit.chat.support import ADA, GRACE, Chat, draft

DAY = timedelta(days=1)


class Kept(Chat):
    """A chat with a retention, and what it was told."""

    def __init__(self, default_days: int | None = None) -> None:
        super().__init__()
        self.forgotten: list[str] = []
        self.retention = Retention(
            self.bus,
            self.store,
            MemoryRetentionStore(self.store, self.users),
            self.clock,
            default_days=default_days,
            forget=self.forgotten.append,
        )

    async def sent(self, conversation_id, days: int) -> None:
        """Send one message a day."""
        for _ in range(days):
            await self.writer.submit(draft(conversation_id))
            self.clock.advance(DAY)

    async def keep(self, conversation_id, days: int | None) -> None:
        """Give a conversation a retention of its own."""
        known = self.store.conversations[conversation_id]
        changed = msgspec.structs.replace(known, retention_days=days)
        self.store.conversations[conversation_id] = changed

    async def erase(self, user_id) -> None:
        """Erase a user's account, to its end."""
        known = self.users.users[user_id]
        gone = msgspec.structs.replace(known, is_deleted=True)
        self.users.users[user_id] = gone
        async with self.bus.transaction() as transaction:
            await self.erasure.request(transaction, user_id)
        assert await self.jobs.run_one()

    async def run(self, **more):
        """Run once, silently."""
        return await self.retention.run(lambda *_: None, **more)

    def trimmed(self) -> list[ConversationTrimmed]:
        """Return the events."""
        return self.bus.published_of(ConversationTrimmed)


@pytest.fixture
async def kept():
    """Make chats whose writers run until the test ends."""
    async with AsyncExitStack() as stack:

        async def make(default_days: int | None = None) -> Kept:
            chat = Kept(default_days)
            await stack.enter_async_context(chat.writer.running())
            return chat

        yield make


async def test_what_is_too_old_goes_as_one_change(kept) -> None:
    """Seq stays contiguous from first_seq, the revision moves by one, clients hear."""
    chat = await kept()
    group = await chat.group(GRACE)
    await chat.sent(group, 5)
    await chat.keep(group, 2)
    before = chat.store.conversations[group]
    rehearsed = await chat.run(is_dry_run=True)
    assert (rehearsed.conversations, rehearsed.trimmed, rehearsed.messages) == (1, 1, 3)
    assert chat.store.conversations[group] == before
    result = await chat.run()
    assert (result.trimmed, result.messages) == (1, 3)
    after = chat.store.conversations[group]
    assert (after.first_seq, after.last_seq) == (4, 5)
    assert after.revision == after.changed_revision == before.revision + 1
    assert sorted(m.seq for m in chat.store.messages.values()) == [4, 5]
    assert chat.forgotten == [group]
    assert [(e.revision, e.first_seq) for e in chat.trimmed()] == [(after.revision, 4)]
    member = chat.store.members[group, GRACE]
    assert unread_count(after, member) == 2
    again = await chat.run()
    assert (again.trimmed, again.messages) == (0, 0)
    assert chat.store.conversations[group] == after


async def test_all_may_go_and_sending_goes_on(kept) -> None:
    """An emptied conversation is one above its last message; the next one follows."""
    chat = await kept(default_days=1)
    group = await chat.group()
    await chat.sent(group, 3)
    chat.clock.advance(DAY)
    await chat.run()
    emptied = chat.store.conversations[group]
    assert (emptied.first_seq, emptied.last_seq) == (4, 3)
    await chat.sent(group, 1)
    assert [m.seq for m in chat.store.messages.values()] == [4]


async def test_the_conversation_says_more_than_the_installation(kept) -> None:
    """Its own days win; who says none is kept for ever where nobody does."""
    chat = await kept(default_days=1)
    own, other = await chat.group(), await chat.group()
    await chat.sent(own, 4)
    await chat.keep(own, 30)
    await chat.sent(other, 4)
    await chat.run()
    firsts = [chat.store.conversations[c].first_seq for c in (own, other)]
    assert firsts == [1, 4]
    free = await kept()
    group = await free.group()
    await free.sent(group, 4)
    assert (await free.run()).conversations == 0


async def test_a_cut_run_is_finished_by_the_next(kept) -> None:
    """What first_seq gave up is hidden at once, and deleted later."""
    chat = await kept(default_days=2)
    group = await chat.group()
    await chat.sent(group, 5)

    async def cut(*_args, **_more) -> int:
        raise ConflictError("lease_lost", "cut")

    whole, chat.retention._store.forget_below = (
        chat.retention._store.forget_below,
        cut,
    )
    with pytest.raises(ConflictError):
        await chat.run()
    page = await chat.messages.page(ADA, group, before=None, after=0, limit=10)
    assert [m.seq for m in page.messages] == [4, 5]
    changes = await chat.sync.changes(ADA, group, since=0, limit=50)
    assert [m.seq for m in changes.messages] == [4, 5]
    assert changes.conversation.first_seq == 4
    chat.retention._store.forget_below = whole
    result = await chat.run()
    assert (result.trimmed, result.messages) == (0, 3)


async def test_the_background_run_is_one_at_a_time(kept) -> None:
    """A process that does not get the lease waits for its next turn."""
    chat = await kept(default_days=1)
    group = await chat.group()
    await chat.sent(group, 3)
    tries = []

    class Leases:
        async def run(self, work):
            tries.append(1)
            if len(tries) == 1:
                raise ConflictError("lease_held", "held")
            return await work()

    keeping = asyncio.create_task(chat.retention.keep(Leases(), 0))
    async with asyncio.timeout(5):
        while not chat.forgotten:  # noqa: ASYNC110 - another task's work
            await asyncio.sleep(0)
    keeping.cancel()
    assert len(tries) >= 2


@pytest.mark.parametrize("days", [0, -1, 36_501])
async def test_a_retention_has_bounds(kept, days) -> None:
    """None leaves it to the installation."""
    chat = await kept()
    conversation = chat.store.conversations[await chat.group()]
    with pytest.raises(DraftInvalidError):
        amended(conversation, Amendment(retention_days=days), Limits())
    kept = amended(conversation, Amendment(retention_days=30), Limits())
    assert kept.retention_days == 30
    assert amended(kept, Amendment(retention_days=None), Limits()) == conversation


async def test_a_resend_is_answered_with_the_first_result_for_ever(kept) -> None:
    """As a deleted message in its old place, whatever would refuse a new one."""
    chat = await kept(default_days=1)
    group = await chat.group(GRACE)
    said = draft(group, GRACE)
    first = await chat.messages.send(said)
    chat.clock.advance(2 * DAY)
    await chat.run()
    before = chat.store.conversations[group]
    archived = msgspec.structs.replace(before, is_archived=True)
    unknown = msgspec.structs.replace(said, attachments=(new_id(),), text="")
    for conversation, repeated in (
        (before, said),
        (before, unknown),
        (archived, said),
    ):
        chat.store.conversations[group] = conversation
        chat.writer.forget(group)
        again = await chat.messages.send(repeated)
        wanted = ("message_id", "client_message_id", "seq", "revision", "sent_at")
        assert [getattr(again, n) for n in wanted] == [
            getattr(first, n) for n in wanted
        ]
        assert (again.is_deleted, again.text) == (True, None)
        assert chat.store.conversations[group] == conversation
    assert len(chat.bus.published_of(MessageSent)) == 1
    page = await chat.messages.page(GRACE, group, limit=9)
    assert page.messages == ()
    with pytest.raises(MessageNotFoundError):
        await chat.messages.get(GRACE, group, first.message_id)


async def test_stubs_go_with_the_account_and_with_the_conversation(kept) -> None:
    """Nothing names who is gone, before a retention and after; others' stay."""
    chat = await kept(default_days=1)
    group, other = await chat.group(GRACE), await chat.group(GRACE)
    for place in (group, other):
        for sender in (ADA, GRACE):
            await chat.messages.send(draft(place, sender))
    chat.clock.advance(2 * DAY)
    await chat.run()
    assert sorted(sender for _, sender, _ in chat.store.stubs) == sorted(
        2 * [ADA, GRACE]
    )
    await chat.messages.send(draft(group, GRACE))
    await chat.erase(GRACE)
    chat.clock.advance(2 * DAY)
    assert (await chat.run()).messages  # a tombstone of the erased user too
    assert {sender for _, sender, _ in chat.store.stubs} == {ADA}
    await chat.deletion.delete(ADA, group)
    await chat.jobs.run_one()
    assert [place for place, _, _ in chat.store.stubs] == [other]


async def test_what_the_house_told_leaves_no_stub(kept) -> None:
    """Nobody sends it again."""
    chat = await kept(default_days=1)
    group = await chat.group()
    await chat.members.add(ADA, group, GRACE, Role.MEMBER)
    chat.clock.advance(2 * DAY)
    assert (await chat.run()).messages == 1
    assert not chat.store.stubs
