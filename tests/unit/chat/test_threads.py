"""Threads: counted as they are stored, followed by who takes part."""

import pytest

from libs.events.catalog import MessageSent
from services.chat.domain.errors import DraftInvalidError, MessageNotFoundError
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
