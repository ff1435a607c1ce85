"""Re-wrapping data keys: whole, resumed, beside others, and what does not open."""

from datetime import timedelta

import pytest

from libs.crypto import DataKeys, FileKeyWrapper, KeyRing, WrappedKey
from libs.kernel import FrozenClock, UnavailableError
from services.chat.domain.keys import key_context
from services.chat.ports import StoredKey
from services.chat.repository.memory.keys import MemoryDataKeyStore
from services.chat.service.key_rotation import BATCH, KeyRotation

FAST = 10_000_000.0


class World:
    """Data keys under an old key-encryption key, and a ring that was rotated."""

    def __init__(self) -> None:
        self.ring = KeyRing.generate()
        self.rotated = self.ring.rotated()
        self.clear: dict[str, bytes] = {}
        self.told: list[tuple[int, int]] = []

    async def keys(self, count: int) -> list[StoredKey]:
        """Return keys of so many conversations, wrapped under the old one."""
        return [await self.key(f"c{number:05}") for number in range(count)]

    async def key(self, conversation_id: str, key_id: str = "k") -> StoredKey:
        """Return one more key under the old ring."""
        data_keys = DataKeys(FileKeyWrapper(self.ring))
        clear, wrapped = await data_keys.generate(*key_context(conversation_id))
        self.clear[conversation_id] = clear
        return StoredKey(
            conversation_id=conversation_id, key_id=key_id, wrapped=wrapped
        )

    def rotation(self, store: MemoryDataKeyStore) -> KeyRotation:
        """Return a rotation with the new ring."""
        return KeyRotation(store, DataKeys(FileKeyWrapper(self.rotated)), FrozenClock())

    def report(self, _work: str, done: int, total: int) -> None:
        """Remember the progress."""
        self.told.append((done, total))


@pytest.fixture
def world() -> World:
    """A fresh one."""
    return World()


async def test_all_keys_are_rewrapped_and_stay_the_same(world) -> None:
    """Afterwards the old key-encryption key opens nothing that is stored."""
    store = MemoryDataKeyStore(await world.keys(2 * BATCH + 3))
    rotation = world.rotation(store)
    before = await rotation.status(revisions=1, age=timedelta(1))
    assert (before.keys_to_rewrap, len(before.under)) == (203, 1)
    result = await rotation.rotate(world.report, keys_per_second=FAST)
    assert (result.rewrapped, result.failed, result.left) == (203, 0, 0)
    assert world.told == [(100, 203), (200, 203), (203, 203)]
    only_new = world.rotated.without(world.ring.current_id)
    opener = DataKeys(FileKeyWrapper(only_new))
    for key in store.keys:
        opened = await opener.unwrap(key.wrapped, *key_context(key.conversation_id))
        assert opened == world.clear[key.conversation_id]
    again = await rotation.rotate(world.report, keys_per_second=FAST)
    assert (again.rewrapped, again.left) == (0, 0)


async def test_a_cut_run_goes_on_where_it_was(world) -> None:
    """No key is wrapped anew twice: the cursor is stored with each batch."""

    class CutStore(MemoryDataKeyStore):
        calls = 0

        async def page(self, *args, **more):
            self.calls += 1
            if self.calls == 2:
                raise UnavailableError("database_unavailable", "cut")
            return await super().page(*args, **more)

    store = CutStore(await world.keys(BATCH + 5))
    rotation = world.rotation(store)
    with pytest.raises(UnavailableError):
        await rotation.rotate(world.report, keys_per_second=FAST)
    first = list(store.keys[:BATCH])
    assert await store.cursor(world.rotated.current_id) == first[-1].conversation_id
    result = await rotation.rotate(world.report, keys_per_second=FAST)
    assert (result.rewrapped, result.left) == (5, 0)
    assert store.keys[:BATCH] == first


async def test_who_wraps_under_the_old_key_meanwhile_is_caught_up_with(world) -> None:
    """A process without the new ring makes a conversation behind the cursor."""

    class BusyStore(MemoryDataKeyStore):
        async def save_cursor(self, kek_id, cursor):
            if cursor and not any(k.conversation_id == "a" for k in self.keys):
                self.keys.insert(0, await world.key("a"))
            await super().save_cursor(kek_id, cursor)

    store = BusyStore(await world.keys(3))
    result = await world.rotation(store).rotate(world.report, keys_per_second=FAST)
    assert (result.rewrapped, result.left) == (4, 0)


async def test_what_was_shredded_meanwhile_stays_shredded(world) -> None:
    """A key that is gone by the time its new form is stored does not come back."""

    class ShreddingStore(MemoryDataKeyStore):
        async def replace(self, old, new):
            if old.conversation_id == "c00001":
                self.keys = [k for k in self.keys if k.conversation_id != "c00001"]
            return await super().replace(old, new)

    store = ShreddingStore(await world.keys(3))
    result = await world.rotation(store).rotate(world.report, keys_per_second=FAST)
    assert (result.rewrapped, result.left) == (2, 0)
    assert [key.conversation_id for key in store.keys] == ["c00000", "c00002"]


async def test_a_key_that_does_not_open_is_told_and_left(world) -> None:
    """It hides no other; a rehearsal finds it before anything is changed."""
    keys = await world.keys(3)
    broken = WrappedKey(keys[1].wrapped.key_id, b"x" * 60)
    lost = WrappedKey("gone", keys[2].wrapped.wrapped)
    store = MemoryDataKeyStore(
        [
            keys[0],
            StoredKey(conversation_id="c00001", key_id="k", wrapped=broken),
            StoredKey(conversation_id="c00002", key_id="k", wrapped=lost),
        ]
    )
    rotation, before = world.rotation(store), list(store.keys)
    rehearsed = await rotation.rehearse(world.report)
    assert (rehearsed.rewrapped, rehearsed.failed, rehearsed.left) == (0, 2, 3)
    assert store.keys == before
    result = await rotation.rotate(world.report, keys_per_second=FAST)
    assert (result.rewrapped, result.failed, result.left) == (1, 2, 2)
    assert store.keys[1].wrapped == broken
