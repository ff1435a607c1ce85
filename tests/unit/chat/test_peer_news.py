"""What chat processes tell each other of their commits, over real links."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.kernel import ConversationId, SystemClock, new_id
from services.chat.domain.message import TEXT_MAX_BYTES
from services.chat.peers.link import PeerLinks
from services.chat.peers.listener import PeerListener, bound_socket
from services.chat.peers.wire import FRAME_BYTES, NEWS_BYTES, news_frames
from services.chat.ports.partitions import Peer, ToldMessage
from tests.unit.chat.support import Chat, draft
from tests.unit.chat.test_peers import Silent, verify

GROUP = ConversationId(new_id())


def told(revision: int, size: int = 10) -> ToldMessage:
    """Return a message of a revision."""
    return ToldMessage(GROUP, revision, revision, b"x" * size)


class Pair:
    """A process that commits, and the link of one that hears of it.

    Attributes:
        heard: What the latter was told.
    """

    def __init__(self, writer) -> None:
        self.listener = PeerListener(writer, verify)
        self.links = PeerLinks(lambda: "chat", SystemClock())
        self.heard: list[ToldMessage] = []
        self.links.on_news(self.heard.extend)

    @asynccontextmanager
    async def linked(self) -> AsyncIterator[Peer]:
        """Listen and link while the block runs."""
        bound = bound_socket("127.0.0.1", 0)
        peer = Peer("owner", f"127.0.0.1:{bound.getsockname()[1]}")
        async with self.listener.listening(bound):
            self.links.keep([peer])
            await until(lambda: self.listener.are_linked and not self.links._opening)
            try:
                yield peer
            finally:
                await self.links.aclose()

    @property
    def revisions(self) -> list[int]:
        """What was heard."""
        return [message.revision for message in self.heard]


async def until(condition) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)


async def test_news_come_in_their_order() -> None:
    """Nobody linked hears nothing; who is linked hears all that follows."""
    pair = Pair(Silent())
    pair.listener.tell([told(1)])
    async with pair.linked():
        pair.listener.tell([])
        pair.listener.tell([told(2), told(3)])
        pair.listener.tell([told(4)])
        await until(lambda: len(pair.heard) == 3)
        pair.links.keep([])
        await until(lambda: not pair.listener.are_linked)
    assert pair.heard == [told(2), told(3), told(4)]


async def test_answers_come_before_the_news_of_their_commit() -> None:
    """So that a sender's answer and event leave in one write, in this order."""
    chat = Chat()
    pair = Pair(chat.writer)
    heard_at_answer = []
    chat.writer.on_stored(
        lambda messages: pair.listener.tell([told(m.revision) for m in messages])
    )
    group = await chat.group()
    async with chat.writer.running(), pair.linked() as peer:

        async def send() -> None:
            await pair.links.send(peer, draft(group))
            heard_at_answer.append(len(pair.heard))

        await asyncio.gather(*(send() for _ in range(5)))
        await until(lambda: len(pair.heard) == 5)
    assert heard_at_answer == [0] * 5
    assert pair.revisions == [2, 3, 4, 5, 6]


async def test_a_commit_of_large_messages_fits_its_frames() -> None:
    """A frame that is too large would end the link; six bytes a byte is the worst."""
    largest = told(1, 6 * TEXT_MAX_BYTES)
    frames = list(news_frames([largest] * 200))
    assert len(frames) > 1
    assert max(map(len, frames)) < NEWS_BYTES + 7 * TEXT_MAX_BYTES < FRAME_BYTES
    pair = Pair(Silent())
    async with pair.linked():
        pair.listener.tell([largest] * 200)
        await until(lambda: len(pair.heard) == 200)


async def test_a_process_that_does_not_read_is_not_waited_for(monkeypatch) -> None:
    """Nothing is kept for it without bound: it hears the rest by the broker."""
    monkeypatch.setattr("services.chat.peers.listener._UNSENT_BYTES", 1_000)
    pair = Pair(Silent())
    async with pair.linked() as peer:
        reading = pair.links._links[peer.process_id]._transport.underlying_transport
        reading.pause_reading()
        (connection,) = pair.listener._connections
        writing = connection._transport.underlying_transport
        revision = 0
        while writing.get_write_buffer_size() <= 1_000:
            revision += 1
            pair.listener.tell([told(revision, 1024 * 1024)])
            await asyncio.sleep(0)
        unsent_bytes = writing.get_write_buffer_size()
        pair.listener.tell([told(revision + 1, 1024 * 1024)])
        assert writing.get_write_buffer_size() <= unsent_bytes
        reading.resume_reading()
        await until(lambda: len(pair.heard) == revision)
        pair.listener.tell([told(revision + 2)])
        await until(lambda: len(pair.heard) > revision)
    assert pair.revisions == [*range(1, revision + 1), revision + 2]


async def test_what_is_told_on_a_link_that_breaks_is_lost_alone() -> None:
    """The next link brings what comes after it; nothing is told twice."""
    pair = Pair(Silent())
    async with pair.linked() as peer:
        pair.listener.tell([told(1)])
        await until(lambda: pair.heard)
        pair.links.keep([])
        await until(lambda: not pair.listener.are_linked)
        pair.listener.tell([told(2)])
        pair.links.keep([peer])
        await until(lambda: pair.listener.are_linked)
        pair.listener.tell([told(3)])
        await until(lambda: len(pair.heard) == 2)
    assert pair.revisions == [1, 3]


async def test_drafts_that_follow_closely_share_a_frame() -> None:
    """The first leaves at once; those of the next milliseconds leave together."""
    chat = Chat()
    group = await chat.group()
    pair = Pair(chat.writer)
    frames = []
    async with chat.writer.running(), pair.linked() as peer:
        link = pair.links._links[peer.process_id]
        flush = link._flush
        link._flush = lambda: (frames.append(len(link._asked)), flush())
        await pair.links.send(peer, draft(group))
        sending = []
        for _ in range(10):
            sending.append(asyncio.create_task(pair.links.send(peer, draft(group))))
            await asyncio.sleep(0)
        await asyncio.gather(*sending)
    assert frames[0] == 1
    assert sum(frames) == 11
    assert len(frames) <= 4
