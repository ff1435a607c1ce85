"""SE-1: a ring that is rotated in its file is rotated in the process."""

import pytest

from libs.crypto import (
    FieldSealer,
    FileKeyWrapper,
    KeyRing,
    KeyRingError,
    KeyUnknownError,
    WatchedKeyRing,
)


class Clock:
    """Seconds that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        """Return the seconds."""
        return self.now


@pytest.fixture
def clock():
    """A clock."""
    return Clock()


@pytest.fixture
def path(tmp_path):
    """A ring's file."""
    made = tmp_path / "ring.json"
    _write(made, KeyRing.generate())
    return made


def _write(path, ring):
    part = path.with_suffix(".part")
    part.write_text(ring.to_json())
    part.chmod(0o600)
    part.replace(path)


def test_se_1_a_new_key_is_used_within_a_second(path, clock):
    """SE-1: no restart; what the old key sealed still opens."""
    ring = WatchedKeyRing(path, clock)
    sealer = FieldSealer(ring)
    old = sealer.seal("a", "place")
    _write(path, KeyRing.from_file(path).rotated())
    assert sealer.seal("b", "place").key_id == old.key_id
    clock.now += 1
    new = sealer.seal("b", "place")
    assert new.key_id != old.key_id
    assert new.key_id == KeyRing.from_file(path).current_id
    assert ring.key(new.key_id) == ring.current_key
    assert [sealer.open(sealed, "place") for sealed in (old, new)] == ["a", "b"]
    assert set(ring.key_ids) == {old.key_id, new.key_id}
    assert KeyRing.from_json(ring.to_json()).current_id == new.key_id


def test_se_1_a_key_that_another_process_has_is_found_at_once(path, clock):
    """SE-1: what it sealed opens here before the second is over."""
    here, there = WatchedKeyRing(path, clock), WatchedKeyRing(path, clock)
    _write(path, KeyRing.from_file(path).rotated())
    there._read_if_changed()
    sealed = FieldSealer(there).seal("a", "place")
    assert here.current_id != sealed.key_id
    assert FieldSealer(here).open(sealed, "place") == "a"
    with pytest.raises(KeyUnknownError):
        here.key("none")


def test_se_1_a_file_that_is_broken_changes_nothing(path, clock):
    """SE-1: the keys of before go on, and the next good file is read."""
    ring = WatchedKeyRing(path, clock)
    before = ring.current_id
    good = KeyRing.from_file(path).rotated()
    for broken in ("", "{}", '{"current": "x", "keys": {}}'):
        path.write_text(broken)
        clock.now += 1
        assert ring.current_id == before
    path.unlink()
    clock.now += 1
    assert ring.current_id == before
    _write(path, good)
    clock.now += 1
    assert ring.current_id == good.current_id
    assert ring.without(before).key_ids == (good.current_id,)
    assert len(ring.rotated().key_ids) == 3
    assert "ring.json" in repr(ring)


def test_a_missing_file_is_told_at_once(tmp_path):
    """A process does not start without its keys."""
    with pytest.raises(KeyRingError):
        WatchedKeyRing(tmp_path / "none.json")


def test_se_1_what_is_under_a_key_that_was_taken_away_opens_no_more(path, clock):
    """SE-1: not from what the process remembers either."""
    sealer = FieldSealer(WatchedKeyRing(path, clock))
    old = sealer.seal("a", "place")
    rotated = KeyRing.from_file(path).rotated()
    _write(path, rotated)
    clock.now += 1
    assert sealer.open(old, "place") == "a"
    _write(path, rotated.without(old.key_id))
    clock.now += 1
    with pytest.raises(KeyUnknownError):
        sealer.open(old, "place")


async def test_se_1_data_keys_follow_the_ring(path, clock):
    """SE-1: a new key wraps within a second; one that another process has unwraps."""
    here, there = (FileKeyWrapper(WatchedKeyRing(path, clock)) for _ in "12")
    old = await here.wrap(b"k" * 32, ("place",))
    _write(path, KeyRing.from_file(path).rotated())
    there._ring._read_if_changed()
    new = await there.wrap(b"k" * 32, ("place",))
    assert new.key_id != old.key_id
    assert here.current_id == old.key_id
    assert here.holds(new.key_id)
    assert await here.unwrap(new, ("place",)) == b"k" * 32
    clock.now += 1
    assert here.current_id == new.key_id
    assert await here.unwrap(old, ("place",)) == b"k" * 32
    assert not here.holds("unknown")
