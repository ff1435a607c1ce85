"""Threads: counted as they are stored, followed by who takes part."""

import pytest

from libs.events.catalog import (
    MessageSent,
    ThreadFollowed,
    ThreadRead,
    ThreadUnfollowed,
)
from services.chat.domain.errors import DraftInvalidError, MessageNotFoundError
from services.chat.domain.thread import Follow
from services.chat.service.own_stream import OwnStream
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


async def say(chat, group, who, **more):
    """Send a message."""
    return await chat.messages.send(draft(group, who, **more))


async def test_answers_are_counted_on_what_they_answer(chat) -> None:
    """The count is that of the stored answers, tombstones too; no extra revision."""
    group = await chat.group(GRACE)
    root = await say(chat, group, ADA)
    other = await say(chat, group, ADA)
    for number in range(3):
        last = await say(chat, group, GRACE, thread_seq=root.seq, text=f"{number}")
    await chat.messages.delete(GRACE, group, last.message_id)
    stored = await chat.messages.get(ADA, group, root.message_id)
    assert (stored.reply_count, stored.last_reply_seq) == (3, last.seq)
    assert stored.revision == root.revision
    assert (await chat.messages.get(ADA, group, other.message_id)).reply_count == 0
    assert chat.bus.published_of(MessageSent)[-1].thread_seq == root.seq


async def test_threads_are_the_last_answered_first(chat) -> None:
    """Pages go by the seq of the last answer."""
    group = await chat.group()
    roots = [await say(chat, group, ADA) for _ in range(3)]
    for number in (1, 0, 2, 1):
        await say(chat, group, ADA, thread_seq=roots[number].seq)
    shown, before = [], None
    while True:
        page, before = await chat.threads.page(ADA, group, before=before, limit=1)
        shown += [thread.root.seq for thread in page]
        if before is None:
            break
    assert shown == [roots[1].seq, roots[2].seq, roots[0].seq]


async def test_who_takes_part_follows(chat) -> None:
    """The author, who answers, and who is mentioned; their unread is their own."""
    group = await chat.group(GRACE, MALLORY)
    root = await say(chat, group, ADA)
    last = await say(chat, group, GRACE, thread_seq=root.seq, mentions=(MALLORY,))
    seen = {
        who: await chat.threads.get(who, group, root.seq)
        for who in (ADA, GRACE, MALLORY)
    }
    assert all(thread.is_following for thread in seen.values())
    assert [seen[who].unread for who in (ADA, GRACE, MALLORY)] == [1, 0, 1]
    marked = await chat.threads.mark(ADA, group, root.seq, 99)
    assert (marked.unread, marked.read_seq) == (0, last.seq)
    assert (await chat.threads.mark(ADA, group, root.seq, 1)).read_seq == last.seq


async def test_who_stopped_following_is_left_alone(chat) -> None:
    """Until they answer again: a mention does not bring them back."""
    group = await chat.group(GRACE)
    root = await say(chat, group, ADA)
    stopped = await chat.threads.follow(ADA, group, root.seq, is_following=False)
    assert not stopped.is_following
    await say(chat, group, GRACE, thread_seq=root.seq, mentions=(ADA,))
    thread = await chat.threads.get(ADA, group, root.seq)
    assert (thread.is_following, thread.unread) == (False, 0)
    await say(chat, group, ADA, thread_seq=root.seq)
    assert (await chat.threads.get(ADA, group, root.seq)).is_following


async def test_a_threads_messages_are_paged_both_ways(chat) -> None:
    """Only its own, and each page tells what is on both sides."""
    group = await chat.group()
    root = await say(chat, group, ADA)
    seqs = []
    for _ in range(4):
        seqs.append((await say(chat, group, ADA, thread_seq=root.seq)).seq)
        await say(chat, group, ADA)
    page = await chat.threads.messages(ADA, group, root.seq, limit=2)
    assert [m.seq for m in page.messages] == seqs[2:]
    assert (page.has_before, page.has_after) == (True, False)
    page = await chat.threads.messages(ADA, group, root.seq, limit=2, before=seqs[2])
    assert [m.seq for m in page.messages] == seqs[:2]
    assert (page.has_before, page.has_after) == (False, True)
    page = await chat.threads.messages(ADA, group, root.seq, limit=2, after=seqs[0])
    assert [m.seq for m in page.messages] == seqs[1:3]
    assert (page.has_before, page.has_after) == (True, True)
    with pytest.raises(MessageNotFoundError):
        await chat.threads.messages(ADA, group, seqs[0], limit=2)


async def test_what_cannot_be_answered(chat) -> None:
    """An answer, a tombstone, a notice, and what is not there."""
    group = await chat.group(GRACE)
    root = await say(chat, group, ADA)
    answer = await say(chat, group, ADA, thread_seq=root.seq)
    gone = await say(chat, group, ADA)
    await chat.messages.delete(ADA, group, gone.message_id)
    await chat.members.remove(ADA, group, GRACE)
    for seq in (answer.seq, gone.seq, gone.seq + 1, 99):
        with pytest.raises(DraftInvalidError):
            await say(chat, group, ADA, thread_seq=seq)


async def test_a_resend_finds_its_answer_though_the_thread_is_gone(chat) -> None:
    """What was sent stays sent, whatever became of what it answers."""
    group = await chat.group()
    root = await say(chat, group, ADA)
    sent = draft(group, thread_seq=root.seq)
    first = await chat.messages.send(sent)
    await chat.messages.delete(ADA, group, root.message_id)
    assert (await chat.messages.send(sent)).message_id == first.message_id


async def own_threads(chat, who, since: int = 0) -> list[Follow]:
    """Return what somebody's own stream tells of threads."""
    changes = await OwnStream(chat.personal).changes(who, since=since, limit=50)
    return [item for item in changes.items if isinstance(item, Follow)]


async def test_following_and_reading_move_the_own_stream(chat) -> None:
    """By one revision each, told by its event; what changes nothing moves nothing."""
    group = await chat.group(GRACE)
    root = await say(chat, group, ADA)
    await say(chat, group, ADA, thread_seq=root.seq)
    answer = await say(chat, group, ADA, thread_seq=root.seq)
    base = await chat.personal.revision(GRACE)
    for _ in range(2):
        await chat.threads.mark(GRACE, group, root.seq, answer.seq)
        await chat.threads.mark(GRACE, group, root.seq, 1)
    for is_following in (True, True, False, False):
        await chat.threads.follow(GRACE, group, root.seq, is_following=is_following)
    told = [
        *chat.bus.published_of(ThreadRead),
        *(e for e in chat.bus.published_of(ThreadFollowed) if e.user_id == GRACE),
        *chat.bus.published_of(ThreadUnfollowed),
    ]
    assert [event.user_revision for event in told] == [base + 1, base + 2, base + 3]
    assert {event.read_seq for event in told} == {answer.seq}
    assert not told[0].is_following
    assert await chat.personal.revision(GRACE) == base + 3
    (own,) = await own_threads(chat, GRACE)
    assert (own.is_following, own.read_seq) == (False, answer.seq)


async def test_a_follow_that_begins_by_an_answer_is_told(chat) -> None:
    """To whoever begins to follow, once; the answers after it move no stream."""
    group = await chat.group(GRACE, MALLORY)
    root = await say(chat, group, ADA)
    people = (ADA, GRACE, MALLORY)
    before = {who: await chat.personal.revision(who) for who in people}
    for _ in range(3):
        last = await say(chat, group, GRACE, thread_seq=root.seq, mentions=(MALLORY,))
    after = {who: await chat.personal.revision(who) for who in people}
    assert after == {who: revision + 1 for who, revision in before.items()}
    told = chat.bus.published_of(ThreadFollowed)
    assert {(e.user_id, e.user_revision) for e in told} == set(after.items())
    (own,) = await own_threads(chat, GRACE)
    assert (own.is_following, own.read_seq) == (True, last.seq)


async def test_who_only_read_follows_once_they_are_mentioned(chat) -> None:
    """Reading is no refusal, as stopping is."""
    group = await chat.group(GRACE)
    root = await say(chat, group, ADA)
    answer = await say(chat, group, ADA, thread_seq=root.seq)
    thread = await chat.threads.mark(GRACE, group, root.seq, answer.seq)
    assert not thread.is_following
    await say(chat, group, ADA, thread_seq=root.seq, mentions=(GRACE,))
    thread = await chat.threads.get(GRACE, group, root.seq)
    assert (thread.is_following, thread.unread) == (True, 1)
