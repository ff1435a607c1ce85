"""Messages between processes: order, errors, loss, backpressure, fall back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from libs.chassis.principals import Principal
from libs.chassis.security import TokenInvalidError
from libs.events.tracing import Cause, caused_by
from libs.kernel import (
    ConflictError,
    ConversationId,
    ErrorKind,
    SystemClock,
    UnavailableError,
    new_id,
)
from services.chat.domain.errors import (
    ConversationNotFoundError,
    DraftInvalidError,
    SendUnconfirmedError,
    TextTooLongError,
    WriterBusyError,
)
from services.chat.domain.message import TEXT_MAX_BYTES, Message
from services.chat.peers.link import PeerLinks
from services.chat.peers.listener import PeerListener, bound_socket
from services.chat.peers.wire import (
    FRAME_BYTES,
    Answered,
    Asked,
    Refused,
    decode_asked,
    encode,
)
from services.chat.ports.partitions import Peer, PeerLostError
from services.chat.writer import RoutedWriter
from tests.unit.chat.support import GRACE, MALLORY, Chat, draft

SERVICE = Principal("service", caller="chat")


def verify(token: str) -> Principal:
    """Tell who a token of these tests is from."""
    if token == "chat":
        return SERVICE
    if token == "gateway":
        return Principal("service", caller="gateway")
    raise TokenInvalidError("signature")


@asynccontextmanager
async def linked(writer, token: str = "chat") -> AsyncIterator[tuple[PeerLinks, Peer]]:  # noqa: S107 - no secret
    """Open a listener for a writer and links that know it."""
    bound = bound_socket("127.0.0.1", 0)
    peer = Peer("owner", f"127.0.0.1:{bound.getsockname()[1]}")
    links = PeerLinks(lambda: token, SystemClock())
    async with PeerListener(writer, verify).listening(bound):
        links.keep([peer])
        for _ in range(500):
            if not links._opening:
                break
            await asyncio.sleep(0.01)
        try:
            yield links, peer
        finally:
            await links.aclose()


class Owners:
    """`Partitions` that always names one owner until it is avoided."""

    def __init__(self, peer: Peer | None) -> None:
        self.peer = peer
        self.avoided: list[Peer] = []

    def owner_of(self, _conversation_id: ConversationId) -> Peer | None:
        """Name it."""
        return self.peer

    def avoid(self, peer: Peer) -> None:
        """Remember, and name nobody from now on."""
        self.avoided.append(peer)
        self.peer = None


class Silent:
    """A writer that takes everything and never answers."""

    def begin(self, _draft, _cause) -> asyncio.Future:
        """Take it."""
        return asyncio.get_running_loop().create_future()


class AllAtOnce:
    """A writer that answers once it has so many, in one turn of the loop."""

    def __init__(self, count: int, message: Message) -> None:
        self.count = count
        self.message = message
        self.waiting: list[asyncio.Future] = []

    def begin(self, _draft, _cause) -> asyncio.Future:
        """Take it; the last one answers all."""
        self.waiting.append(asyncio.get_running_loop().create_future())
        if len(self.waiting) == self.count:
            for future in self.waiting:
                future.set_result(self.message)
        return self.waiting[-1]


async def test_many_large_answers_of_one_turn_fit_their_frames() -> None:
    """A frame that is too large would end the link, and all that waits on it."""
    chat = Chat()
    group = await chat.group()
    async with chat.writer.running():
        stored = await chat.messages.send(draft(group))
    large = msgspec.structs.replace(stored, text="x" * TEXT_MAX_BYTES)
    count = FRAME_BYTES // TEXT_MAX_BYTES + 1
    async with linked(AllAtOnce(count, large)) as (links, peer):
        answers = await asyncio.gather(
            *(links.send(peer, draft(group)) for _ in range(count))
        )
    assert answers == [large] * count


async def test_forwarded_messages_are_stored_in_their_order() -> None:
    """By the owner, with the cause of who sent them."""
    chat = Chat()
    group = await chat.group()
    async with chat.writer.running(), linked(chat.writer) as (links, peer):
        with caused_by(Cause("story", "parent", None)):
            sent = await asyncio.gather(
                *(links.send(peer, draft(group, text=f"{n}")) for n in range(50))
            )
    assert [message.seq for message in sent] == list(range(1, 51))
    assert [message.text for message in sent] == [f"{n}" for n in range(50)]
    stored = chat.store.messages[sent[0].message_id]
    assert stored == sent[0]


async def test_the_owners_refusal_comes_back_as_it_was() -> None:
    """Kind, code, words, details and the time to come back."""
    chat = Chat(queue=1)
    group = await chat.group()
    async with linked(chat.writer) as (links, peer):
        first = asyncio.create_task(links.send(peer, draft(group)))
        while not chat.writer._lane(group)._queue:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0)
        with pytest.raises(Exception, match="writer_busy") as caught:
            await links.send(peer, draft(group))
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        assert caught.value.retry_after_seconds == WriterBusyError().retry_after_seconds
        async with chat.writer.running():
            assert (await first).seq == 1
            with pytest.raises(Exception, match="conversation_not_found") as caught:
                await links.send(peer, draft(group, MALLORY))
            assert caught.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize(
    "error",
    [
        ConversationNotFoundError(),
        DraftInvalidError("reply_not_found", "No."),
        TextTooLongError(16_000, "code points"),
        WriterBusyError(),
        ConflictError("conversation_archived", "It is.", since=3),
    ],
)
def test_an_error_survives_the_way(error) -> None:
    """Whoever sent cannot tell in which process the writer was."""
    other = Refused.of(error).error()
    assert (other.kind, other.code, other.message) == (
        error.kind,
        error.code,
        error.message,
    )
    assert other.details == error.details
    assert other.retry_after_seconds == error.retry_after_seconds


async def test_an_owner_that_is_not_there_is_lost_at_once() -> None:
    """Nobody listens, or no link is open yet."""
    links = PeerLinks(lambda: "chat", SystemClock())
    gone = Peer("gone", "127.0.0.1:1")
    links.keep([gone])
    with pytest.raises(PeerLostError):
        await links.send(gone, draft(ConversationId(new_id())))
    await links.aclose()


async def test_a_link_that_breaks_loses_what_waits() -> None:
    """So that it is written here, and none waits for an answer that cannot come."""
    async with linked(Silent()) as (links, peer):
        waiting = [
            asyncio.create_task(links.send(peer, draft(ConversationId(new_id()))))
            for _ in range(3)
        ]
        await asyncio.sleep(0.05)
        links.keep([])
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, PeerLostError) for result in results)


async def test_a_silent_owner_is_given_up(monkeypatch) -> None:
    """A stopped process keeps its connection; three seconds are enough for it."""
    monkeypatch.setattr("services.chat.peers.link._ANSWER_SECONDS", 0.0)
    monkeypatch.setattr("services.chat.peers.listener._DRAIN_SECONDS", 0.0)
    async with linked(Silent()) as (links, peer):
        waiting = asyncio.create_task(links.send(peer, draft(ConversationId(new_id()))))
        await asyncio.sleep(0.05)
        links.keep([peer])
        with pytest.raises(PeerLostError):
            await waiting


async def test_too_much_on_the_way_pushes_back(monkeypatch) -> None:
    """A sender is told to wait: nothing is kept without bound."""
    monkeypatch.setattr("services.chat.peers.link._WAITING_MAX", 1)
    async with linked(Silent()) as (links, peer):
        waiting = asyncio.create_task(links.send(peer, draft(ConversationId(new_id()))))
        await asyncio.sleep(0)
        with pytest.raises(WriterBusyError):
            await links.send(peer, draft(ConversationId(new_id())))
        links.keep([])
        with pytest.raises(PeerLostError):
            await waiting


@pytest.mark.parametrize("token", ["", "gateway", "forged"])
async def test_only_chat_itself_is_let_in(token) -> None:
    """A link needs an internal token of chat's own."""
    async with linked(Silent(), token) as (links, peer):
        with pytest.raises(PeerLostError):
            await links.send(peer, draft(ConversationId(new_id())))


async def test_what_is_written_here_is_not_forwarded() -> None:
    """No owner: the writer of this process."""
    chat = Chat()
    group = await chat.group()
    routed = RoutedWriter(chat.writer, Owners(None), PeerLinks(str, SystemClock()))
    async with chat.writer.running():
        assert (await routed.submit(draft(group))).seq == 1
    routed.forget(group)


async def test_a_lost_owner_costs_no_message() -> None:
    """It is written here, and the owner is not asked again for a while."""
    chat = Chat()
    group = await chat.group()
    owners = Owners(Peer("gone", "127.0.0.1:1"))
    routed = RoutedWriter(chat.writer, owners, PeerLinks(str, SystemClock()))
    async with chat.writer.running():
        assert (await routed.submit(draft(group))).seq == 1
        assert (await routed.submit(draft(group))).seq == 2
    assert len(owners.avoided) == 1


async def test_an_owner_that_wrote_and_died_leaves_one_message() -> None:
    """The answer was lost, the message was not: the repetition finds it."""
    chat = Chat()
    group = await chat.group(GRACE)
    once = draft(group)

    class Dying(PeerLinks):
        async def send(self, peer, draft):
            await chat.writer.submit(draft)
            raise PeerLostError

    routed = RoutedWriter(
        chat.writer, Owners(Peer("p", "x:1")), Dying(str, SystemClock())
    )
    async with chat.writer.running():
        message = await routed.submit(once)
    assert message.seq == 1
    assert list(chat.store.messages.values()) == [message]


async def test_what_a_lost_owner_may_have_written_is_not_refused() -> None:
    """That it cannot be written here says nothing of what the owner did."""
    chat = Chat()
    group = await chat.group()

    class Away:
        async def submit(self, _draft):
            raise UnavailableError("database_unavailable", "Away.", is_unknown=False)

    class Lost(PeerLinks):
        async def send(self, peer, draft):
            raise PeerLostError

    owners = Owners(Peer("p", "x:1"))
    routed = RoutedWriter(Away(), owners, Lost(str, SystemClock()))
    with pytest.raises(SendUnconfirmedError):
        await routed.submit(draft(group))


async def test_a_frame_that_is_none_ends_the_link() -> None:
    """Nothing another process sends ends this one."""
    async with linked(Silent()) as (links, peer):
        link = links._links[peer.process_id]
        link._transport.send(2, b"\\xc1")
        for _ in range(500):
            if not link.is_open:
                break
            await asyncio.sleep(0.01)
        assert not link.is_open


def test_drafts_keep_every_field() -> None:
    """What goes in comes out."""
    asked = Asked(7, draft(ConversationId(new_id())), Cause("a", None, "b"))
    assert decode_asked(encode([asked])) == [asked]
    assert Answered(1).message is None
