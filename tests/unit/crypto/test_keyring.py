"""The key ring: file, rotation, refusal."""

import base64
import json
import os
import pickle

import pytest

from libs.crypto import KeyRing, KeyRingError, KeyUnknownError
from libs.kernel import ErrorKind


def written(path, text, mode=0o600):
    """Write a file with a mode."""
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_generated_ring_survives_its_file(tmp_path):
    """What `to_json` writes, `from_file` reads."""
    ring = KeyRing.generate()
    read = KeyRing.from_file(written(tmp_path / "ring.json", ring.to_json()))
    assert read.current_id == ring.current_id
    assert read.key(ring.current_id) == ring.current_key
    assert len(ring.current_key) == 32


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o666])
def test_a_file_that_everyone_may_read_is_refused(tmp_path, mode):
    """The sentence names the file and the cure."""
    path = written(tmp_path / "ring.json", KeyRing.generate().to_json(), mode)
    with pytest.raises(KeyRingError, match=r"ring\.json: .*chmod 600"):
        KeyRing.from_file(path)


def test_a_group_readable_file_is_taken(tmp_path):
    """Mounted secrets of an orchestrator are readable by their group."""
    KeyRing.from_file(written(tmp_path / "r", KeyRing.generate().to_json(), 0o640))


def test_a_missing_file_is_named(tmp_path):
    """No traceback of an open call, but a sentence."""
    with pytest.raises(KeyRingError, match=r"absent\.json: No such file"):
        KeyRing.from_file(tmp_path / "absent.json")


def test_a_binary_file_is_refused(tmp_path):
    """Bytes that are no text are no ring."""
    path = tmp_path / "ring"
    path.write_bytes(b"\xff\xfe\x00")
    path.chmod(0o600)
    with pytest.raises(KeyRingError, match="not a text file"):
        KeyRing.from_file(path)


GOOD = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "document",
    [
        "not json",
        "[]",
        "null",
        "{}",
        json.dumps({"current": "a", "keys": {}}),
        json.dumps({"current": "a", "keys": []}),
        json.dumps({"current": "b", "keys": {"a": GOOD}}),
        json.dumps({"current": "a", "keys": {"a": GOOD[:-4]}}),
        json.dumps({"current": "a", "keys": {"a": "***"}}),
        json.dumps({"current": "a", "keys": {"a": 7}}),
        json.dumps({"current": "a b", "keys": {"a b": GOOD}}),
        json.dumps({"current": "", "keys": {"": GOOD}}),
        json.dumps({"current": "x" * 65, "keys": {"x" * 65: GOOD}}),
    ],
)
def test_broken_rings_are_refused_without_quoting_them(document):
    """Every mistake in the file is a `KeyRingError`; keys stay out of it."""
    with pytest.raises(KeyRingError) as caught:
        KeyRing.from_json(document)
    assert GOOD[:20] not in str(caught.value)


def test_an_unknown_key_is_unavailable():
    """A ring that has not been replaced yet may get the key: transient."""
    with pytest.raises(KeyUnknownError) as caught:
        KeyRing.generate().key("nope")
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert caught.value.code == "key_unknown"
    assert caught.value.details == {"key_id": "nope"}


def test_rotation_keeps_old_keys_and_makes_a_new_current():
    """Old ciphertexts stay readable until their key is taken out."""
    old = KeyRing.generate()
    new = old.rotated()
    assert new.current_id != old.current_id
    assert new.key_ids == (old.current_id, new.current_id)
    assert new.key(old.current_id) == old.current_key
    only_new = new.without(old.current_id)
    assert only_new.key_ids == (new.current_id,)
    with pytest.raises(KeyRingError):
        only_new.without(new.current_id)


def test_keys_are_not_shown_or_pickled():
    """A ring in a traceback or a queue shows no key."""
    ring = KeyRing("a", {"a": b"K" * 32})
    assert "KKK" not in repr(ring)
    assert "KKK" not in str(ring)
    with pytest.raises(TypeError):
        pickle.dumps(ring)


def test_a_ring_does_not_follow_the_mapping_it_was_made_of():
    """It is immutable."""
    keys = {"a": os.urandom(32)}
    ring = KeyRing("a", keys)
    keys.clear()
    assert ring.key("a")
