"""The message writer over memory adapters."""

import asyncio
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.events.catalog import MessageSent
from libs.events.tracing import current_cause
from libs.kernel import UnavailableError, new_id
from services.chat.domain.amendment import Amendment
from services.chat.domain.errors import (
    ConversationBusyError,
    ConversationNotFoundError,
    DraftInvalidError,
    DuplicateMessageError,
    SendUnconfirmedError,
    StaleConversationError,
    WriterBusyError,
)
from services.chat.repository.memory import MemoryConversations
from services.chat.writer import GroupCommitWriter, WriterLimits
from services.chat.writer.pending import Pending
from services.chat.writer.plan import plan_batch
from tests.support.firing import Watched, assert_fires
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft


class Breaking(MemoryConversations):
    """A store whose next appends fail as told, before or after they are done."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[Exception] = []
        self.is_stored_first = False
        self.batches: list[int] = []

    async def append(self, appends, *, session):
        """Fail if told so; otherwise append."""
        self.batches.append(sum(len(append.messages) for append in appends))
        failure = self.failures.pop(0) if self.failures else None
        begun = []
        if failure is None or self.is_stored_first:
            begun = await super().append(appends, session=session)
        if failure is not None:
            raise failure
        return begun


def breaking_chat(*failures: Exception) -> Chat:
    """Return a chat whose writer's store fails as told."""
    chat = Chat()
    chat.store = Breaking()
    chat.store.failures = list(failures)
    chat.writer = GroupCommitWriter(
        chat.bus, chat.store, chat.sealer, chat.clock, limits=WriterLimits(lanes=1)
    )
    return chat


def outcomes(results: list[object]) -> Counter[str]:
    """Count results by class."""
    return Counter(type(result).__name__ for result in results)


async def test_messages_get_contiguous_seqs_in_order_of_submission() -> None:
    """Seq and revision follow the order in which messages were submitted."""
    chat = Chat()
    group = await chat.group(GRACE)
    async with chat.writer.running():
        sent = await asyncio.gather(
            *(chat.writer.submit(draft(group, text=f"{n}")) for n in range(250))
        )
    assert [message.seq for message in sent] == list(range(1, 251))
    assert [message.revision for message in sent] == list(range(2, 252))
    assert [message.text for message in sent] == [f"{n}" for n in range(250)]


async def test_events_leave_in_the_same_commit_with_sealed_content() -> None:
    """Each message has one event, whose content opens with its own context only."""
    chat = Chat()
    group = await chat.group()
    async with chat.writer.running():
        message = await chat.writer.submit(draft(group, text="secret"))
    (event,) = chat.bus.published_of(MessageSent)
    assert (event.message_id, event.seq, event.revision) == (
        message.message_id,
        1,
        2,
    )
    assert b"secret" not in event.content.ciphertext


async def test_sending_moves_the_senders_own_marker() -> None:
    """What one writes oneself is read."""
    chat = Chat()
    group = await chat.group(GRACE)
    async with chat.writer.running():
        await chat.writer.submit(draft(group))
    assert (await chat.store.get_member(group, ADA)).read_seq == 1
    assert (await chat.store.get_member(group, GRACE)).read_seq == 0


async def test_a_resend_returns_the_first_result() -> None:
    """The same client_message_id is stored once, at once or later."""
    chat = Chat()
    group = await chat.group()
    again = draft(group, text="once")
    async with chat.writer.running():
        first, second = await asyncio.gather(
            chat.writer.submit(again), chat.writer.submit(again)
        )
        third = await chat.writer.submit(again)
    assert first == second == third
    assert len(chat.store.messages) == len(chat.bus.published_of(MessageSent)) == 1


async def test_a_duplicate_does_not_hurt_its_neighbours() -> None:
    """A batch with a stored message still stores all the others, in order."""
    chat = Chat()
    group = await chat.group()
    known = draft(group, text="known")
    async with chat.writer.running():
        first = await chat.writer.submit(known)
        fresh = [draft(group, text=f"{n}") for n in range(5)]
        results = await asyncio.gather(
            *(chat.writer.submit(d) for d in [*fresh[:3], known, *fresh[3:]])
        )
    assert results.pop(3) == first
    assert [message.seq for message in results] == [2, 3, 4, 5, 6]


async def test_strangers_and_bad_replies_fail_alone() -> None:
    """Items that can never be stored get their own error."""
    chat = Chat()
    group = await chat.group(GRACE)
    async with chat.writer.running():
        results = await asyncio.gather(
            chat.writer.submit(draft(group)),
            chat.writer.submit(draft(group, MALLORY)),
            chat.writer.submit(draft(new_id())),
            chat.writer.submit(draft(group, reply_to_seq=99)),
            chat.writer.submit(draft(group, GRACE)),
            return_exceptions=True,
        )
    assert [type(result) for result in results[1:4]] == [
        ConversationNotFoundError,
        ConversationNotFoundError,
        DraftInvalidError,
    ]
    assert [results[0].seq, results[4].seq] == [1, 2]


async def test_a_removed_member_cannot_send_with_a_stale_cache() -> None:
    """The compare-and-set on members_version finds out what the cache missed."""
    chat = Chat()
    group = await chat.group(GRACE)
    async with chat.writer.running():
        await chat.writer.submit(draft(group, GRACE))
        chat.writer.forget = lambda _: None  # as if another process removed her
        await chat.members.remove(ADA, group, GRACE)
        with pytest.raises(ConversationNotFoundError):
            await chat.writer.submit(draft(group, GRACE))
        message = await chat.writer.submit(draft(group))
    assert message.seq == 3  # after the word of her removal


async def test_a_conflict_is_retried() -> None:
    """Losing a compare-and-set costs a try, not the message."""
    chat = breaking_chat(StaleConversationError(), StaleConversationError())
    group = await chat.group()
    async with chat.writer.running():
        message = await chat.writer.submit(draft(group))
    assert message.seq == 1


async def test_endless_conflicts_end_with_busy(monkeypatch) -> None:
    """After some tries the sender is told to come back; nothing is stored."""
    monkeypatch.setattr("services.chat.writer.commits.CONFLICTS_MAX", 5)
    chat = breaking_chat(*(StaleConversationError() for _ in range(1000)))
    group = await chat.group()
    async with chat.writer.running():
        results = await asyncio.gather(
            *(chat.writer.submit(draft(group)) for _ in range(4)),
            return_exceptions=True,
        )
    assert outcomes(results) == {"ConversationBusyError": 4}
    assert not chat.store.messages
    assert results[0].retry_after_seconds
    assert isinstance(results[0], ConversationBusyError)


async def test_an_unknown_commit_is_looked_up_and_never_doubled() -> None:
    """A commit whose answer was lost is found by client_message_id."""
    unknown = UnavailableError("commit_unknown", "Unknown.", is_unknown=True)
    chat = breaking_chat(unknown)
    chat.store.is_stored_first = True
    group = await chat.group()
    async with chat.writer.running():
        message = await chat.writer.submit(draft(group))
    assert message.seq == 1
    assert len(chat.store.messages) == 1


async def test_an_unknown_commit_that_was_not_stored_is_tried_again() -> None:
    """Nothing found means nothing stored, or a conflict on the next try."""
    unknown = UnavailableError("commit_unknown", "Unknown.", is_unknown=True)
    chat = breaking_chat(unknown)
    group = await chat.group()
    async with chat.writer.running():
        message = await chat.writer.submit(draft(group))
    assert (message.seq, len(chat.store.messages)) == (1, 1)


async def test_one_poisonous_item_fails_alone() -> None:
    """An unexpected error splits the batch until only its cause is left."""
    chat = breaking_chat()
    group = await chat.group()
    append = MemoryConversations.append

    async def poisoned(appends, *, session):
        if any(m.text == "poison" for a in appends for m in a.messages):
            raise ValueError("poison")
        return await append(chat.store, appends, session=session)

    chat.store.append = poisoned
    texts = [*(f"{n}" for n in range(9)), "poison", *(f"{n}" for n in range(9, 20))]
    async with chat.writer.running():
        results = await asyncio.gather(
            *(chat.writer.submit(draft(group, text=text)) for text in texts),
            return_exceptions=True,
        )
    assert isinstance(results.pop(9), SendUnconfirmedError)
    assert [message.seq for message in results] == list(range(1, 21))
    assert [message.text for message in results] == [f"{n}" for n in range(20)]


async def test_a_full_queue_pushes_back() -> None:
    """Above the bound senders are told to wait, at once."""
    chat = Chat(lanes=1, queue=3)
    group = await chat.group()
    waiting = [asyncio.create_task(chat.writer.submit(draft(group))) for _ in range(3)]
    await asyncio.sleep(0)
    watched = Watched("chat")
    watched.look()
    with pytest.raises(WriterBusyError) as caught:
        await chat.writer.submit(draft(group))
    assert caught.value.retry_after_seconds
    watched.look()
    assert_fires("ChatRefusesMessages", watched)
    async with chat.writer.running():
        assert len(await asyncio.gather(*waiting)) == 3


async def test_what_waits_is_committed_together() -> None:
    """A batch is what queued up during the last commit, up to its bound."""
    chat = breaking_chat()
    group = await chat.group()
    async with chat.writer.running():
        await asyncio.gather(*(chat.writer.submit(draft(group)) for _ in range(230)))
    assert chat.store.batches == [200, 30]


async def test_beside_others_a_process_gathers_more_in_a_commit() -> None:
    """One lane where two processes write; the order in a conversation holds."""
    chat = Chat(lanes=4)
    groups = [await chat.group() for _ in range(8)]
    chat.writer.share(4)
    assert len({id(chat.writer._lane(group)) for group in groups}) == 1
    async with chat.writer.running():
        sent = await asyncio.gather(
            *(chat.writer.submit(draft(group)) for group in groups for _ in range(3))
        )
    assert [message.seq for message in sent] == [1, 2, 3] * 8
    chat.writer.share(100)
    assert chat.writer._lane(groups[0]) is chat.writer._lanes[0]


async def test_who_waits_too_long_is_told_so() -> None:
    """The outcome is unknown then, and what nobody waits for is not written."""
    chat = Chat(lanes=1)
    group = await chat.group()
    waiting = asyncio.create_task(chat.writer.submit(draft(group)))
    await asyncio.sleep(0)
    chat.writer._patience.look(time.perf_counter() + 1_000)
    with pytest.raises(SendUnconfirmedError):
        await waiting
    async with chat.writer.running():
        assert (await chat.writer.submit(draft(group, text="later"))).seq == 1


async def test_closing_commits_what_is_queued_and_refuses_more() -> None:
    """A stopping process acknowledges what it took."""
    chat = Chat()
    group = await chat.group()
    async with chat.writer.running():
        task = asyncio.create_task(chat.writer.submit(draft(group)))
        await asyncio.sleep(0)
    assert (await task).seq == 1
    with pytest.raises(WriterBusyError):
        await chat.writer.submit(draft(group))


async def test_an_archived_conversation_takes_no_message() -> None:
    """The state is checked in the commit like membership is."""
    chat = Chat()
    group = await chat.group()
    async with chat.writer.running():
        await chat.writer.submit(draft(group))
        chat.writer.forget = lambda _: None
        await chat.conversations.change(ADA, group, Amendment(is_archived=True))
        with pytest.raises(Exception, match="conversation_archived"):
            await chat.writer.submit(draft(group))


async def test_planning_leaves_states_alone() -> None:
    """A plan that is not committed has changed nothing."""
    chat = Chat()
    group = await chat.group()
    states = await chat.store.load_states({group: [ADA]})
    future = asyncio.get_running_loop().create_future()
    pending = Pending(draft(group), future, current_cause())
    plan = plan_batch([pending], states, chat.sealer, chat.clock.now())
    assert plan.pending == [pending]
    assert states[group].last_seq == 0


failure = st.sampled_from(["none", "stale", "duplicate", "unknown", "stored", "bug"])


@settings(max_examples=60, deadline=None)
@given(
    sends=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 12)),
        min_size=1,
        max_size=40,
    ),
    failures=st.lists(failure, max_size=12),
)
def test_any_failures_leave_no_gap_and_no_double(sends, failures) -> None:
    """Whatever fails, seqs are 1..n, ids are unique, and acked means stored."""
    asyncio.run(_run_history(sends, failures))


ERRORS = {
    "stale": StaleConversationError,
    "duplicate": DuplicateMessageError,
    "unknown": lambda: UnavailableError("commit_unknown", "?", is_unknown=True),
    "stored": lambda: UnavailableError("commit_unknown", "?", is_unknown=True),
    "bug": ValueError,
}


async def _run_history(sends, failures) -> None:
    chat = breaking_chat()
    groups = [await chat.group(GRACE) for _ in range(3)]
    append = MemoryConversations.append

    async def flaky(appends, *, session) -> None:
        kind = failures.pop() if failures else "none"
        if kind in {"none", "stored"}:
            await append(chat.store, appends, session=session)
        if kind in ERRORS:
            error = ERRORS[kind]()
            raise error

    chat.store.append = flaky
    ids = [new_id() for _ in range(13)]
    drafts = [
        draft(groups[group], (ADA, GRACE)[sender], client_message_id=ids[key])
        for group, sender, key in sends
    ]
    async with chat.writer.running():
        results = await asyncio.gather(
            *(chat.writer.submit(d) for d in drafts), return_exceptions=True
        )
    acked = [r for r in results if not isinstance(r, Exception)]
    assert all(chat.store.messages[message.message_id] == message for message in acked)
    for group in groups:
        seqs = [
            m.seq for m in chat.store.messages.values() if m.conversation_id == group
        ]
        assert sorted(seqs) == list(range(1, len(seqs) + 1))
        assert (await chat.store.get(group)).last_seq == len(seqs)
