"""Keys of the object store follow their file (SE-1)."""

import json

import pytest

from deploy.embedded.layout import write_private
from libs.chassis.errors import StartError
from services.media.storage.credentials import FileCredentials, session_with


@pytest.fixture
def path(tmp_path):
    """A file of two keys."""
    file = tmp_path / "s3.json"
    write(file, "first")
    return file


def write(file, secret):
    """Put other keys in the file's place."""
    write_private(file, json.dumps({"access_key": "media", "secret_key": secret}))


def secret_of(credentials):
    """Return what is signed with now."""
    return credentials.get_frozen_credentials().secret_key


def test_se_1_new_keys_are_signed_with_within_a_second(path):
    """SE-1: looked for once a second, by every signature."""
    now = [0.0]
    credentials = FileCredentials(path, lambda: now[0])
    write(path, "second")
    assert secret_of(credentials) == "first"
    now[0] = 1.0
    assert secret_of(credentials) == "second"
    assert session_with(credentials).get_credentials() is credentials


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"access_key": 1, "secret_key": 2}']
)
def test_se_1_a_broken_file_changes_nothing_and_is_not_quoted(path, text):
    """SE-1: who is at it may be half done; at the start it is named, not shown."""
    now = [0.0]
    credentials = FileCredentials(path, lambda: now[0])
    write_private(path, text + " secret-marker")
    now[0] = 1.0
    assert secret_of(credentials) == "first"
    with pytest.raises(StartError) as refused:
        FileCredentials(path)
    assert str(path) in str(refused.value)
    assert "marker" not in str(refused.value)


def test_se_1_a_file_that_everybody_reads_is_refused(path):
    """SE-1: as every other file of a secret."""
    path.chmod(0o644)
    with pytest.raises(StartError, match="chmod 600"):
        FileCredentials(path)
    path.unlink()
    with pytest.raises(StartError):
        FileCredentials(path)
