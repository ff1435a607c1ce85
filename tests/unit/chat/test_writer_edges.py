"""The message writer where its own look-ups fail and its memory is stale."""

import asyncio

import pytest

from libs.events.tracing import current_cause
from libs.kernel import UnavailableError, new_id
from services.chat.domain.amendment import Amendment
from services.chat.domain.errors import (
    ConversationIsArchivedError,
    ConversationNotFoundError,
    SendUnconfirmedError,
)
from services.chat.repository.memory import MemoryConversations
from services.chat.writer import GroupCommitWriter, WriterLimits
from services.chat.writer.commits import BatchCommitter
from services.chat.writer.pending import Pending
from services.chat.writer.states import StateCache
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft


class Forgetful(MemoryConversations):
    """A store whose look-ups of sent messages fail as told."""

    def __init__(self) -> None:
        super().__init__()
        self.lookup: Exception | None = None
        self.commit: Exception | None = None
        self.loads = 0
        self._is_appending = False

    async def append(self, appends, *, session):
        """Append; perhaps the answer is lost."""
        self._is_appending = True
        try:
            begun = await super().append(appends, session=session)
        finally:
            self._is_appending = False
        if self.commit is not None:
            raise self.commit
        return begun

    async def find_sent(self, keys):
        """Fail if told so; the memory store's own append asks too."""
        if self.lookup is not None and not self._is_appending:
            raise self.lookup
        return await super().find_sent(keys)

    async def load_states(self, wanted):
        """Count."""
        self.loads += 1
        return await super().load_states(wanted)


def other_writer(chat: Chat) -> GroupCommitWriter:
    """Return the writer of another process: the same store, a memory of its own."""
    return GroupCommitWriter(
        chat.bus, chat.store, chat.sealer, chat.clock, limits=WriterLimits(lanes=1)
    )


@pytest.fixture
def chat() -> Chat:
    """A chat whose store's look-ups can be made to fail."""
    return Chat(Forgetful(), lanes=1)


LOOKUPS = [UnavailableError("database_unavailable", "Away."), ValueError("bug")]


@pytest.mark.parametrize("error", LOOKUPS, ids=["unavailable", "unexpected"])
async def test_a_failed_look_up_after_a_duplicate_ends_no_lane(chat, error) -> None:
    """The resend is unconfirmed; the next message is stored as ever."""
    group = await chat.group()
    again = draft(group)
    async with chat.writer.running():
        first = await chat.writer.submit(again)
        chat.store.lookup = error
        with pytest.raises(SendUnconfirmedError):
            await chat.writer.submit(again)
        assert (await chat.writer.submit(draft(group))).seq == 2
        chat.store.lookup = None
        assert await chat.writer.submit(again) == first


@pytest.mark.parametrize("error", LOOKUPS, ids=["unavailable", "unexpected"])
async def test_a_failed_look_up_after_an_unknown_commit_ends_no_lane(
    chat, error
) -> None:
    """Whether it is stored stays unknown; the lane goes on."""
    group = await chat.group()
    again = draft(group)
    async with chat.writer.running():
        chat.store.lookup = error
        chat.store.commit = UnavailableError("commit_unknown", "?", is_unknown=True)
        with pytest.raises(SendUnconfirmedError):
            await chat.writer.submit(again)
        chat.store.lookup = chat.store.commit = None
        assert (await chat.writer.submit(again)).seq == 1


async def test_an_unknown_commit_stays_unknown_while_the_database_is_away(chat) -> None:
    """What keeps the next try from being made says nothing of the one before."""
    group = await chat.group()
    away = UnavailableError("database_unavailable", "Away.", is_unknown=False)
    unknown = UnavailableError("commit_unknown", "?", is_unknown=True)

    async def append(*_args, **_more):
        chat.store.failures.append(1)
        raise unknown if len(chat.store.failures) == 1 else away

    chat.store.failures, chat.store.append = [], append
    async with chat.writer.running():
        with pytest.raises(SendUnconfirmedError):
            await chat.writer.submit(draft(group))
        assert len(chat.store.failures) == 2
        chat.store.failures.append(1)  # with no doubt before it, it is a refusal
        with pytest.raises(UnavailableError) as refused:
            await chat.writer.submit(draft(group))
    assert refused.value.code == "database_unavailable"


async def test_whatever_a_commit_raises_the_lane_goes_on(chat, monkeypatch) -> None:
    """Its last resort fails the batch and takes the next one."""
    group = await chat.group()
    monkeypatch.setattr(
        "services.chat.writer.commits.BatchCommitter._attempt", _raise_once()
    )
    async with chat.writer.running():
        with pytest.raises(SendUnconfirmedError):
            await chat.writer.submit(draft(group))
        assert (await chat.writer.submit(draft(group))).seq == 1


def _raise_once():
    attempt = BatchCommitter._attempt
    errors = [RuntimeError("bug")]

    async def attempt_once(self, batch):
        if errors:
            raise errors.pop()
        return await attempt(self, batch)

    return attempt_once


async def test_what_another_process_brought_back_takes_messages_again(chat) -> None:
    """A refusal from memory is checked against the database before it is told."""
    group = await chat.group()
    other = other_writer(chat)
    async with chat.writer.running(), other.running():
        await chat.conversations.change(ADA, group, Amendment(is_archived=True))
        with pytest.raises(ConversationIsArchivedError):
            await other.submit(draft(group))
        await chat.conversations.change(ADA, group, Amendment(is_archived=False))
        assert (await other.submit(draft(group))).seq == 1


async def test_a_reply_to_what_another_process_stored_is_taken(chat) -> None:
    """A seq above the remembered one is looked up, not refused."""
    group = await chat.group()
    other = other_writer(chat)
    async with chat.writer.running(), other.running():
        await other.submit(draft(group))
        message = await chat.writer.submit(draft(group))
        reply = await other.submit(draft(group, reply_to_seq=message.seq))
    assert (reply.seq, reply.reply_to_seq) == (3, 2)


async def test_a_refusal_costs_one_read(chat) -> None:
    """What was just read is not read again; good memory is not read at all."""
    group = await chat.group(GRACE)
    async with chat.writer.running():
        for _ in range(2):
            with pytest.raises(ConversationNotFoundError):
                await chat.writer.submit(draft(group, MALLORY))
        assert chat.store.loads == 2
        await chat.writer.submit(draft(group))
        await chat.writer.submit(draft(group))
    assert chat.store.loads == 3


async def test_a_read_that_began_before_a_forget_is_not_remembered(chat) -> None:
    """The answer of an old read must not outlive the news that it is old."""
    group = await chat.group()
    cache = StateCache(chat.store, 10)
    load = chat.store.load_states

    async def slow(wanted):
        states = await load(wanted)
        cache.forget([group])  # another path commits while the answer travels
        return states

    chat.store.load_states = slow
    await cache.load([_pending(group)], chat.clock.now())
    chat.store.load_states = load
    reads = chat.store.loads
    await cache.load([_pending(group)], chat.clock.now())
    assert chat.store.loads == reads + 1


def _pending(group):
    future = asyncio.get_running_loop().create_future()
    return Pending(draft(group, client_message_id=new_id()), future, current_cause())
