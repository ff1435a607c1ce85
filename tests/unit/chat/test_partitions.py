"""Who writes what: leases, favourites, hand-over, and clocks that run wrong."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.kernel import ConversationId, UnavailableError, new_id
from services.chat.ports.partitions import PARTITIONS, Peer
from services.chat.repository.memory import MemoryPartitions
from services.chat.writer.partitions import LeaseLimits, Partitions, favourite_of

LIMITS = LeaseLimits(ttl_seconds=5.0, beat_seconds=1.0)


class Wall:
    """The true time of a test, in seconds."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def read(self) -> float:
        """Return it: the store's clock is never wrong."""
        return self.now


@dataclass
class Watch:
    """A process's own monotonic clock: it began anywhere and runs at its own pace."""

    wall: Wall
    pace: float = 1.0
    offset: float = 0.0

    def monotonic(self) -> float:
        """Return what this process believes."""
        return self.offset + self.wall.now * self.pace


@dataclass
class Links:
    """`Peers` that remembers whom it was to keep."""

    kept: set[str] = field(default_factory=set)

    def keep(self, peers) -> None:
        """Remember."""
        self.kept = {peer.process_id for peer in peers}


class Silent(MemoryPartitions):
    """A store that does not answer while it is told so."""

    is_away = False

    async def beat(self, me, ttl_seconds):
        """Answer, or not."""
        if self.is_away:
            raise UnavailableError("database_unavailable", "away")
        return await super().beat(me, ttl_seconds)


class House:
    """Some processes on one store."""

    def __init__(self) -> None:
        self.wall = Wall()
        self.store = Silent(self.wall.read)
        self.links: dict[str, Links] = {}

    def process(self, name: str, pace: float = 1.0, offset: float = 0.0) -> Partitions:
        """Start one."""
        self.links[name] = Links()
        clock = Watch(self.wall, pace, offset)
        peer = Peer(name, f"{name}:1")
        return Partitions(self.store, peer, self.links[name], clock, limits=LIMITS)


def owned(process: Partitions) -> set[int]:
    """Return the partitions that a process believes to own."""
    return {number for number in range(PARTITIONS) if process.owns(number)}


def conversation_in(process: Partitions, *, is_own: bool) -> ConversationId:
    """Return a conversation that the process writes itself, or another one does."""
    while True:
        conversation_id = ConversationId(new_id())
        if (process.owner_of(conversation_id) is None) == is_own:
            return conversation_id


async def test_a_lone_process_owns_everything_at_once() -> None:
    """One beat, and nothing is ever forwarded."""
    house = House()
    one = house.process("one")
    assert one.owner_of(ConversationId(new_id())) is None
    await one.beat()
    assert owned(one) == set(range(PARTITIONS))
    assert house.links["one"].kept == set()


async def test_a_second_process_is_handed_its_share() -> None:
    """The owner gives it away at its next beat; both agree then."""
    house = House()
    one, two = house.process("one"), house.process("two")
    await one.beat()
    await two.beat()
    assert owned(two) == set()
    await one.beat()
    await two.beat()
    assert owned(one) | owned(two) == set(range(PARTITIONS))
    assert not owned(one) & owned(two)
    assert min(len(owned(one)), len(owned(two))) > PARTITIONS // 4
    owner = one.owner_of(conversation_in(one, is_own=False))
    assert owner == Peer("two", "two:1")
    assert house.links["one"].kept == {"two"}


async def test_a_killed_process_is_followed_after_its_lease() -> None:
    """Until then its conversations are asked for there, after it taken over."""
    house = House()
    one, two = house.process("one"), house.process("two")
    for process in (one, two, one, two):
        await process.beat()
    theirs = conversation_in(one, is_own=False)
    for _ in range(5):
        house.wall.now += 1.0
        await one.beat()
        if owned(one) != set(range(PARTITIONS)):
            assert one.owner_of(theirs) is not None
    house.wall.now += 0.1
    await one.beat()
    assert owned(one) == set(range(PARTITIONS))
    assert one.owner_of(theirs) is None


async def test_leaving_frees_everything_at_once() -> None:
    """A drained process is not waited for."""
    house = House()
    one, two = house.process("one"), house.process("two")
    for process in (one, two, one, two):
        await process.beat()
    await two.leave()
    assert owned(two) == set()
    await one.beat()
    assert owned(one) == set(range(PARTITIONS))


async def test_a_lost_owner_is_avoided_and_then_trusted_again() -> None:
    """Its conversations are written here as long as its leases may last."""
    house = House()
    one, two = house.process("one"), house.process("two")
    for process in (one, two, one, two):
        await process.beat()
    theirs = conversation_in(one, is_own=False)
    one.avoid(Peer("two", "two:1"))
    assert one.owner_of(theirs) is None
    house.wall.now += 2.0
    await one.beat()
    await two.beat()
    assert one.owner_of(theirs) is None
    house.wall.now += 3.0
    await two.beat()
    await one.beat()
    assert one.owner_of(theirs) == Peer("two", "two:1")


async def test_what_is_known_runs_out_while_the_database_is_away() -> None:
    """Nobody is asked on old knowledge, and nobody believes to own anything."""
    house = House()
    one, two = house.process("one"), house.process("two")
    for process in (one, two, one, two):
        await process.beat()
    theirs = conversation_in(one, is_own=False)
    house.store.is_away = True
    with pytest.raises(UnavailableError):
        await one.beat()
    assert one.owner_of(theirs) is not None
    house.wall.now += LIMITS.ttl_seconds
    assert one.owner_of(theirs) is None
    assert owned(one) == set()


async def test_links_are_looked_after_while_the_database_is_away() -> None:
    """Whoever waits for a silent owner is told so all the same."""
    house = House()
    first, second = house.process("first"), house.process("second")
    await first.beat()
    await second.beat()
    await first.beat()
    house.links["first"].kept.clear()
    house.store.is_away = True
    running = asyncio.create_task(first.run())
    async with asyncio.timeout(5):
        while not house.links["first"].kept:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert house.links["first"].kept == {"second"}


async def test_beating_goes_on_after_a_failure() -> None:
    """The task outlives a database that is away."""
    house = House()
    limits = LeaseLimits(ttl_seconds=5.0, beat_seconds=0.0)
    one = Partitions(
        house.store, Peer("one", "one:1"), Links(), Watch(house.wall), limits=limits
    )
    house.store.is_away = True
    task = asyncio.create_task(one.run())
    await asyncio.sleep(0)
    house.store.is_away = False
    async with asyncio.timeout(5):
        while owned(one) != set(range(PARTITIONS)):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


def test_only_the_partitions_of_who_leaves_move() -> None:
    """Rendezvous hashing: the others' conversations keep their writer."""
    peers = {name: Peer(name, name) for name in ("a", "b", "c")}
    before = {p: favourite_of(p, peers) for p in range(PARTITIONS)}
    del peers["b"]
    after = {p: favourite_of(p, peers) for p in range(PARTITIONS)}
    assert all(after[p] == owner for p, owner in before.items() if owner != "b")


async def test_who_writes_is_told_how_many_processes_live() -> None:
    """So that it can gather more in a commit."""
    house = House()
    told: list[int] = []
    clock = Watch(house.wall)
    one = Partitions(
        house.store, Peer("one", "one:1"), Links(), clock, on_processes=told.append
    )
    await one.beat()
    await house.process("two").beat()
    await one.beat()
    assert told == [1, 2]


class Steps:
    """What may happen in the property test."""

    beat = st.tuples(st.just("beat"), st.integers(0, 2))
    leave = st.tuples(st.just("leave"), st.integers(0, 2))
    kill = st.tuples(st.just("kill"), st.integers(0, 2))
    wait = st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 3.5, 5.5]))


@settings(max_examples=100, deadline=None)
@given(
    paces=st.lists(st.floats(0.8, 1.25), min_size=3, max_size=3),
    steps=st.lists(
        st.one_of(Steps.beat, Steps.beat, Steps.wait, Steps.leave, Steps.kill),
        min_size=5,
        max_size=40,
    ),
)
def test_no_two_processes_believe_to_own_a_partition(paces, steps) -> None:
    """Whatever happens, with clocks that run up to a quarter fast or a fifth slow."""

    async def play() -> None:
        house = House()
        names = iter(range(1_000))
        running = [house.process(f"p{next(names)}", pace, pace) for pace in paces]
        for what, value in steps:
            if what == "wait":
                house.wall.now += value
            elif what == "beat":
                await running[value].beat()
            elif what == "leave":
                await running[value].leave()
            else:
                running[value] = house.process(f"p{next(names)}", paces[value])
            for number in range(PARTITIONS):
                assert sum(process.owns(number) for process in running) <= 1

    asyncio.run(play())
