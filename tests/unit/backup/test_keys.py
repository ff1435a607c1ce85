"""Keys are copied apart from the data, whole, and put back without harm."""

import hashlib
import json

import pytest

from libs.backup.errors import BackupDamagedError, KeysBesideDataError
from libs.backup.keys import check_keys, copy_keys, put_keys_back, unlike


@pytest.fixture
def secrets(tmp_path):
    """Return a folder of secrets."""
    folder = tmp_path / "secrets"
    (folder / "chat").mkdir(parents=True)
    (folder / "chat" / "storage-keys.json").write_text("ring")
    (folder / "auth").mkdir()
    (folder / "auth" / "pepper-keys.json").write_text("pepper")
    return folder


@pytest.mark.parametrize(
    ("keys", "data"), [("a", "a"), ("a/b", "a"), ("a", "a/b"), ("a/../b", "b/c")]
)
def test_keys_beside_the_data_are_refused(secrets, tmp_path, keys, data):
    """Whoever finds one folder must not find the other in it."""
    with pytest.raises(KeysBesideDataError):
        copy_keys(secrets, tmp_path / keys, tmp_path / data)
    assert not (tmp_path / "a").exists()


def test_a_copy_is_private_and_puts_back_what_is_missing(secrets, tmp_path):
    """What is there is never overwritten: it may be newer."""
    copy_keys(secrets, tmp_path / "keys", tmp_path / "data")
    (secrets / "chat" / "storage-keys.json").unlink()
    (secrets / "auth" / "pepper-keys.json").write_text("newer")
    assert put_keys_back(tmp_path / "keys", secrets) == ["chat/storage-keys.json"]
    assert (secrets / "chat" / "storage-keys.json").read_text() == "ring"
    assert (secrets / "auth" / "pepper-keys.json").read_text() == "newer"
    assert (secrets / "chat" / "storage-keys.json").stat().st_mode & 0o777 == 0o600


def test_a_second_copy_replaces_the_first(secrets, tmp_path):
    """With what was rotated in between."""
    copy_keys(secrets, tmp_path / "keys", tmp_path / "data")
    (secrets / "chat" / "storage-keys.json").write_text("rotated")
    copy_keys(secrets, tmp_path / "keys", tmp_path / "data")
    copied = tmp_path / "keys" / "secrets" / "chat" / "storage-keys.json"
    assert copied.read_text() == "rotated"


@pytest.mark.parametrize("is_gone", [False, True])
def test_what_a_copy_alone_holds_stays_beside(secrets, tmp_path, is_gone):
    """Keys that were made anew read no older backup: those of before have to stay."""
    ring = secrets / "chat" / "storage-keys.json"
    copy_keys(secrets, tmp_path / "keys", tmp_path / "data")
    ring.unlink() if is_gone else ring.write_text("made anew")
    copy_keys(secrets, tmp_path / "keys", tmp_path / "data")
    copy_keys(secrets, tmp_path / "keys", tmp_path / "data")
    [old] = (tmp_path / "keys").glob("secrets.*")
    assert (old / "chat" / "storage-keys.json").read_text() == "ring"
    assert sorted(one.name for one in (tmp_path / "keys").iterdir()) == [
        "secrets",
        old.name,
    ]


def test_what_is_there_otherwise_is_named(secrets, tmp_path):
    """A restore says so, as what it restores may be unreadable by it."""
    copy_keys(secrets, tmp_path / "keys", tmp_path / "data")
    assert unlike(tmp_path / "keys", secrets) == []
    (secrets / "auth" / "pepper-keys.json").write_text("made anew")
    assert unlike(tmp_path / "keys", secrets) == ["auth/pepper-keys.json"]


@pytest.mark.parametrize("name", ["../outside", "/srv/outside", "chat/../../outside"])
def test_a_name_that_leads_out_of_the_folder_is_refused(secrets, tmp_path, name):
    """Nothing is written beside the secrets, whoever has changed the copy."""
    keys = tmp_path / "keys"
    copy_keys(secrets, keys, tmp_path / "data")
    (keys / "outside").write_text("x")
    sums = {name: hashlib.sha256(b"x").hexdigest()}
    (keys / "secrets" / "SHA256.json").write_text(json.dumps(sums))
    with pytest.raises(BackupDamagedError, match="leads out"):
        put_keys_back(keys, secrets)
    assert not (tmp_path / "outside").exists()


def test_a_changed_copy_is_refused(secrets, tmp_path):
    """Before any of it is put back."""
    copy_keys(secrets, tmp_path / "keys", tmp_path / "data")
    (tmp_path / "keys" / "secrets" / "auth" / "pepper-keys.json").write_text("x")
    with pytest.raises(BackupDamagedError):
        check_keys(tmp_path / "keys")
