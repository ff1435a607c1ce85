"""Lanes that rest between two commits under load, so that a commit holds more."""

import asyncio

from services.chat.repository.memory import MemoryConversations
from services.chat.writer import GroupCommitWriter, WriterLimits
from tests.unit.chat.support import Chat, draft

FOREVER = 600.0
SOON = 10.0


class Counting(MemoryConversations):
    """A store that keeps how many messages each commit held."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    async def append(self, appends, *, session):
        """Append and count."""
        self.batches.append(sum(len(append.messages) for append in appends))
        return await super().append(appends, session=session)


def resting_chat(**limits: float) -> Chat:
    """Return a chat with one lane and its own limits."""
    chat = Chat(Counting())
    chat.writer = GroupCommitWriter(
        chat.bus,
        chat.store,
        chat.sealer,
        chat.clock,
        limits=WriterLimits(lanes=1, **limits),
    )
    return chat


def begun(chat: Chat, group: str, count: int) -> list[asyncio.Future]:
    """Queue so many messages."""
    return [chat.writer.begin(draft(group)) for _ in range(count)]


async def test_what_comes_during_a_rest_shares_a_commit() -> None:
    """After a commit that shows load the next one waits until enough gathered."""
    chat = resting_chat(gather=30, gather_seconds=FOREVER)
    group = await chat.group()
    async with chat.writer.running(), asyncio.timeout(SOON):
        await asyncio.gather(*begun(chat, group, 8))
        waiting = begun(chat, group, 29)
        for _ in range(50):
            await asyncio.sleep(0)
        assert not any(future.done() for future in waiting)
        sent = await asyncio.gather(*waiting, *begun(chat, group, 1))
    assert chat.store.batches == [8, 30]
    assert [message.seq for message in sent] == list(range(9, 39))


async def test_a_rest_ends_by_itself() -> None:
    """However little gathered, it does not wait for more than its time."""
    chat = resting_chat(gather_seconds=0.01)
    group = await chat.group()
    async with chat.writer.running(), asyncio.timeout(SOON):
        await asyncio.gather(*begun(chat, group, 8))
        assert (await chat.writer.submit(draft(group))).seq == 9


async def test_without_load_nobody_waits() -> None:
    """A commit of few messages is followed by the next one at once."""
    chat = resting_chat(gather_seconds=FOREVER)
    group = await chat.group()
    async with chat.writer.running(), asyncio.timeout(SOON):
        await asyncio.gather(*begun(chat, group, 7))
        await chat.writer.submit(draft(group))
    assert chat.store.batches == [7, 1]


async def test_no_rest_where_none_is_wanted() -> None:
    """With a time of 0 a lane never rests."""
    chat = resting_chat(gather_seconds=0)
    group = await chat.group()
    async with chat.writer.running(), asyncio.timeout(SOON):
        await asyncio.gather(*begun(chat, group, 8))
        await chat.writer.submit(draft(group))
    assert chat.store.batches == [8, 1]


async def test_closing_ends_a_rest() -> None:
    """A stopping process commits at once what gathered."""
    chat = resting_chat(gather_seconds=FOREVER)
    group = await chat.group()
    async with asyncio.timeout(SOON):
        async with chat.writer.running():
            await asyncio.gather(*begun(chat, group, 8))
            waiting = begun(chat, group, 3)
            for _ in range(50):
                await asyncio.sleep(0)
            assert not any(future.done() for future in waiting)
    assert [(await future).seq for future in waiting] == [9, 10, 11]
    assert chat.store.batches == [8, 3]


async def test_beside_others_a_rest_is_longer() -> None:
    """Each has less to gather: its commits stay as big, within a bound."""
    chat = resting_chat(gather_seconds=0.02)
    (lane,) = chat.writer._lanes
    rests = []
    for processes in (1, 2, 4, 100, 0):
        chat.writer.share(processes)
        rests.append(lane.rest_seconds)
    assert rests == [0.02, 0.04, 0.08, 0.1, 0.02]
