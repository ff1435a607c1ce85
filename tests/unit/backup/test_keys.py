"""Keys are copied apart from the data, whole, and put back without harm."""

import pytest

from libs.backup.errors import BackupDamagedError, KeysBesideDataError
from libs.backup.keys import check_keys, copy_keys, put_keys_back


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


def test_a_changed_copy_is_refused(secrets, tmp_path):
    """Before any of it is put back."""
    copy_keys(secrets, tmp_path / "keys", tmp_path / "data")
    (tmp_path / "keys" / "secrets" / "auth" / "pepper-keys.json").write_text("x")
    with pytest.raises(BackupDamagedError):
        check_keys(tmp_path / "keys")
