"""Which frames share a transaction, and what becomes of each when it fails."""

import asyncio
from dataclasses import dataclass, field

import pytest

from libs.events.bus import Subscription
from libs.events.catalog import ConversationRead
from libs.events.consuming.start import make_runner
from libs.events.envelope import encode_event, encode_frame
from libs.events.staging import StagedTransaction, Stager
from libs.events.tracing import Cause
from libs.kernel import FrozenClock, new_id


@dataclass
class Frame:
    """A delivery of one event."""

    body: bytes
    headers: dict = field(default_factory=lambda: {"x-attempt": 1})
    delivery_count: int = 0
    settled: str = ""

    async def ack(self):
        """Note it."""
        self.settled = "ack"

    async def hand_back(self):
        """Note it."""
        self.settled = "back"


class Effects:
    """Transactions that only tell how many events each had."""

    def __init__(self):
        self.sizes = []
        self.errors = []
        self.may_commit = asyncio.Event()
        self.may_commit.set()

    async def apply(self, _subscription, _event_id, work):
        """Run work for one event."""
        self.sizes.append(1)
        await work(transaction())
        await self.may_commit.wait()
        return True

    async def apply_batch(self, _subscription, ids, work):
        """Run work for several, or fail."""
        self.sizes.append(len(ids))
        await work(transaction(), frozenset(ids))
        await self.may_commit.wait()
        if self.errors:
            raise self.errors.pop()


def transaction():
    """Return one without a database."""
    return StagedTransaction(Stager("chat", FrozenClock()), None)


def frame(number, **named):
    """Return a delivery."""
    event = ConversationRead(conversation_id=f"c{number}", user_id="u", read_seq=number)
    cause = Cause(None, None, None)
    at = FrozenClock().now()
    raw = encode_event(event, new_id(), source="/chat", time=at, cause=cause)
    return Frame(encode_frame([raw]), **named)


def runner_with(effects, calls):
    """Return a runner whose handler notes what it is called with."""

    async def handler(event, context):
        calls.append(event.read_seq)

    subscription = Subscription("reads", (ConversationRead,), handler)
    return make_runner(subscription, "q", effects=effects, courier=None, app=None)


async def given(runner, frames):
    """Hand over frames in one turn of the loop, and wait until all are settled."""
    for one in frames:
        runner.receive(one)
    async with asyncio.timeout(10):
        while not all(one.settled for one in frames):  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.001)


async def test_frames_that_arrive_together_share_a_transaction():
    """But for the first ones: how fast the handler is must be known."""
    effects, calls = Effects(), []
    runner = runner_with(effects, calls)
    await given(runner, [frame(1), frame(2)])
    assert effects.sizes == [1, 1]
    frames = [frame(number) for number in range(3, 8)]
    await given(runner, frames)
    assert effects.sizes == [1, 1, 5]
    assert calls == list(range(1, 8))
    assert {one.settled for one in frames} == {"ack"}


@pytest.mark.parametrize(
    "odd",
    [
        {"delivery_count": 1},
        {"headers": {"x-attempt": 2}},
        {"headers": {"x-replayed": 1}},
    ],
    ids=str,
)
async def test_what_was_seen_before_never_shares(odd):
    """Neither what came back, nor what waited in a tier, nor a replayed one."""
    effects = Effects()
    runner = runner_with(effects, [])
    await given(runner, [frame(1)])
    await given(runner, [frame(2, **odd), frame(3, **odd)])
    assert effects.sizes == [1, 1, 1]


async def test_frames_whose_transaction_fails_run_each_alone():
    """None is lost, none takes another one down."""
    effects, calls = Effects(), []
    runner = runner_with(effects, calls)
    await given(runner, [frame(1)])
    effects.errors = [ValueError()]
    frames = [frame(2), frame(3)]
    await given(runner, frames)
    assert effects.sizes == [1, 2, 1, 1]
    assert calls == [1, 2, 3, 2, 3]
    assert [one.settled for one in frames] == ["ack", "ack"]


async def test_what_arrives_while_two_are_under_way_waits_and_shares():
    """As a group commit: no transaction each while the database is busy."""
    effects = Effects()
    runner = runner_with(effects, [])
    await given(runner, [frame(1)])
    effects.may_commit.clear()
    frames = []
    for number in range(2, 8):
        frames.append(frame(number))
        runner.receive(frames[-1])
        await asyncio.sleep(0.001)
    assert effects.sizes == [1, 1, 1]
    effects.may_commit.set()
    async with asyncio.timeout(10):
        while not all(one.settled for one in frames):  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.001)
    assert effects.sizes == [1, 1, 1, 4]


async def test_a_foreign_attempt_header_is_none():
    """What another sender wrote there costs the frame nothing."""
    effects = Effects()
    odd = frame(1, headers={"x-attempt": "many"})
    await given(runner_with(effects, []), [odd])
    assert odd.settled == "ack"


async def test_leaving_hands_back_what_was_not_started():
    """Also what still waited for a transaction to end."""
    effects = Effects()
    runner = runner_with(effects, [])
    await given(runner, [frame(1)])
    waiting = frame(2)
    runner.receive(waiting)
    await runner.stop(0.1)
    await asyncio.sleep(0)
    assert waiting.settled == "back"
    assert effects.sizes == [1]
