"""Data keys of conversations in a process: what is kept, and when one is due."""

import asyncio
from datetime import timedelta

import pytest

from libs.crypto import DataKeys, DecryptError, FileKeyWrapper, KeyRing
from libs.kernel import FrozenClock
from services.chat.repository.key_chains import (
    DESTROYED,
    KeyChains,
    KeyDestroyedError,
    KeyNotLoadedError,
    RenewalLimits,
)

CLOCK = FrozenClock()
HOUR = timedelta(hours=1)
LIMITS = RenewalLimits(changes=100, age=24 * HOUR, retry=HOUR)


class CountingWrapper(FileKeyWrapper):
    """Counts what a key service would be asked, and answers no sooner than one."""

    unwrapped = 0

    async def unwrap(self, wrapped, context):
        """Give others a turn first."""
        self.unwrapped += 1
        await asyncio.sleep(0)
        return await super().unwrap(wrapped, context)


@pytest.fixture
def wrapper() -> CountingWrapper:
    """A ring that counts."""
    return CountingWrapper(KeyRing.generate())


@pytest.fixture
def chains(wrapper) -> KeyChains:
    """A cold cache of two conversations."""
    return KeyChains(DataKeys(wrapper), LIMITS, capacity=2)


async def stored(chains, conversation_id: str = "c", revisions=(0,)) -> dict:
    """Return a conversation with one key a revision, the last one current."""
    now = CLOCK.now()
    keys = [await chains.made(conversation_id, now, revision) for revision in revisions]
    return {"_id": conversation_id, "key_id": keys[-1]["id"], "keys": keys}


async def test_a_key_is_due_by_changes_and_by_age(chains) -> None:
    """Neither a change nor an hour too early; unknown conversations never."""
    now = CLOCK.now()
    await chains.learn(await stored(chains, revisions=(0, 40)))
    assert not chains.is_due("c", 139, now + 23 * HOUR)
    assert chains.is_due("c", 140, now)
    assert chains.is_due("c", 41, now + 24 * HOUR)
    assert not chains.is_due("elsewhere", 10**9, now + 1000 * HOUR)


async def test_a_renewal_that_failed_is_put_off(chains) -> None:
    """It is tried again after a while, not with every message."""
    now = CLOCK.now()
    await chains.learn(await stored(chains))
    assert chains.is_due("c", 100, now)
    chains.put_off("c", now)
    assert not chains.is_due("c", 100, now)
    assert chains.is_due("c", 100, now + HOUR)


async def test_an_older_key_opens_and_the_newest_seals(chains) -> None:
    """A key that another process made is missing until it is learned."""
    document = await stored(chains, revisions=(0, 100))
    old, new = (key["id"] for key in document["keys"])
    await chains.learn({**document, "key_id": old, "keys": document["keys"][:1]})
    assert chains.sealing("c")[0] == old
    assert not chains.knows("c", [new])
    with pytest.raises(KeyNotLoadedError):
        chains.opening("c", new)
    await chains.learn(document)
    assert chains.knows("c", [old, new])
    assert chains.sealing("c") == (new, chains.opening("c", new))
    assert chains.opening("c", old) != chains.opening("c", new)


async def test_a_crowd_unwraps_once(chains, wrapper) -> None:
    """A key service is asked once a key, however many readers arrive together."""
    document = await stored(chains, revisions=(0, 1, 2))
    await asyncio.gather(*(chains.learn(document) for _ in range(20)))
    assert wrapper.unwrapped == 3
    await chains.learn({**document, "key_id": document["keys"][0]["id"]})
    assert wrapper.unwrapped == 3  # what is here is not asked for again


async def test_an_altered_key_opens_nothing_and_hides_no_other(chains) -> None:
    """Only what was sealed under it is lost."""
    document = await stored(chains, revisions=(0, 1))
    old, new = document["keys"]
    old["wrapped"] = old["wrapped"][:-1] + bytes([old["wrapped"][-1] ^ 1])
    await chains.learn(document)
    assert chains.opening("c", new["id"])
    with pytest.raises(DecryptError):
        chains.opening("c", old["id"])


async def test_destroyed_keys_leave_the_cache(chains) -> None:
    """Reading a shredded conversation is enough."""
    document = await stored(chains)
    await chains.learn(document)
    await chains.learn({"_id": "c", "key_id": DESTROYED, "keys": []})
    for use in (lambda: chains.sealing("c"), lambda: chains.opening("c", "x")):
        with pytest.raises(KeyDestroyedError):
            use()
    assert not chains.is_due("c", 10**9, CLOCK.now())


async def test_the_least_used_goes_first(chains) -> None:
    """The cache is bounded; what left it comes back by reading."""
    for conversation_id in ("a", "b"):
        await chains.learn(await stored(chains, conversation_id))
    chains.sealing("a")
    await chains.learn(await stored(chains, "c"))
    assert chains.knows("a")
    with pytest.raises(KeyNotLoadedError):
        chains.sealing("b")
    chains.forget("a")
    assert not chains.knows("a")
