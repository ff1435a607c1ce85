"""Leases on partitions: the same promises in memory and in MongoDB."""

import asyncio
import time

import pytest

from libs.chassis.mongo import open_mongo
from libs.kernel import new_id
from services.chat.ports.partitions import Peer
from services.chat.repository import MongoPartitionStore
from services.chat.repository.memory import MemoryPartitions
from tests.support.prefixed import Prefixed

pytestmark = pytest.mark.integration
LONG, SHORT = 60.0, 0.2


@pytest.fixture(params=["memory", "mongo"])
async def store(request, settings):
    """Each backend in turn, with nothing in it."""
    if request.param == "memory":
        yield MemoryPartitions(time.monotonic)
        return
    async with open_mongo(settings) as database:
        own = Prefixed(database)
        yield MongoPartitionStore(own)
        await own.drop()


def peer() -> Peer:
    """Return a new process."""
    name = f"chat-1:{new_id()}"
    return Peer(name, f"127.0.0.1:{len(name)}")


async def until_free(store, me: Peer, partition: int) -> None:
    """Wait until a lease has run out."""
    async with asyncio.timeout(10):
        while partition in (await store.beat(me, LONG)).owners:  # noqa: ASYNC110 - the server's time
            await asyncio.sleep(0.02)


async def test_who_beats_is_known_to_all(store) -> None:
    """With the address, until the heartbeat runs out."""
    one, two = peer(), peer()
    await store.beat(one, SHORT)
    table = await store.beat(two, LONG)
    assert table.peers == {one.process_id: one, two.process_id: two}
    async with asyncio.timeout(10):
        while one.process_id in (await store.beat(two, LONG)).peers:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)


async def test_a_partition_has_one_owner(store) -> None:
    """Who comes second gets nothing, and is told who has it."""
    one, two = peer(), peer()
    await store.beat(one, LONG)
    await store.beat(two, LONG)
    table = await store.acquire([1, 2], one, LONG)
    assert table.owners == {1: one.process_id, 2: one.process_id}
    table = await store.acquire([2, 3], two, LONG)
    assert table.owners[2] == one.process_id
    assert table.owners[3] == two.process_id


async def test_racing_for_a_partition_has_one_winner(store) -> None:
    """Also where its document is not there yet."""
    racers = [peer() for _ in range(6)]
    await asyncio.gather(*(store.acquire(range(8), racer, LONG) for racer in racers))
    table = await store.beat(racers[0], LONG)
    assert set(table.owners) == set(range(8))
    assert set(table.owners.values()) <= {racer.process_id for racer in racers}


async def test_a_lease_that_is_not_renewed_is_free(store) -> None:
    """And is somebody else's then; the old owner's beat does not take it back."""
    one, two = peer(), peer()
    await store.beat(one, SHORT)
    await store.acquire([5], one, SHORT)
    await until_free(store, two, 5)
    assert (await store.acquire([5], two, LONG)).owners[5] == two.process_id
    assert (await store.beat(one, LONG)).owners[5] == two.process_id


async def test_a_beat_renews_what_is_held(store) -> None:
    """A living owner keeps its partitions."""
    one = peer()
    await store.acquire([5], one, SHORT)
    await store.beat(one, LONG)
    await asyncio.sleep(SHORT * 2)
    assert (await store.beat(one, LONG)).owners == {5: one.process_id}


async def test_only_the_owner_hands_over(store) -> None:
    """What is another's stays there."""
    one, two, three = peer(), peer(), peer()
    await store.acquire([1], one, LONG)
    await store.acquire([2], two, LONG)
    await store.hand_over({1: three.process_id, 2: three.process_id}, one, LONG)
    owners = (await store.beat(one, LONG)).owners
    assert owners == {1: three.process_id, 2: two.process_id}


async def test_leaving_frees_everything(store) -> None:
    """At once: nobody waits for a lease of a process that was drained."""
    one, two = peer(), peer()
    await store.beat(one, LONG)
    await store.acquire([1, 2], one, LONG)
    await store.leave(one)
    table = await store.beat(two, LONG)
    assert table.owners == {}
    assert one.process_id not in table.peers
