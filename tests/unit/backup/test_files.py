"""Files of a backup: read back as they were written, or refused by name."""

import hashlib
import json

import pytest
from bson import Timestamp, decode, encode

from libs.backup.errors import BackupDamagedError
from libs.backup.folder import MANIFEST, BackupFolder
from libs.backup.planning import plan_for
from libs.backup.streams import DocumentWriter, check_documents, read_documents
from tests.unit.backup.folders import full_backup, nothing_told, stored

DOCUMENTS = [{"_id": number, "body": b"\0" * 1000} for number in range(50)]


def test_documents_come_back_byte_by_byte(tmp_path):
    """In their order, each as it was, from a file of its owner's alone."""
    file = stored(tmp_path, "a.bson.gz", *DOCUMENTS)
    assert list(read_documents(tmp_path, file)) == [encode(one) for one in DOCUMENTS]
    assert file.documents == 50
    assert (tmp_path / "a.bson.gz").stat().st_mode & 0o777 == 0o600


def test_batches_count_as_their_documents(tmp_path):
    """What a server sends at once is counted one by one."""
    with DocumentWriter(tmp_path, "a.bson.gz") as writer:
        assert writer.write(b"".join(map(encode, DOCUMENTS))) == 50
    read = read_documents(tmp_path, writer.stored())
    assert [decode(one)["_id"] for one in read] == list(range(50))


def test_an_interrupted_file_never_was_one(tmp_path):
    """A write that fails leaves nothing behind."""
    with pytest.raises(TypeError), DocumentWriter(tmp_path, "a.bson.gz") as writer:
        writer.write(None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_cut_off_file_is_refused(tmp_path, cut):
    """However little is missing."""
    file = stored(tmp_path, "a.bson.gz", *DOCUMENTS)
    path = tmp_path / file.name
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(BackupDamagedError) as raised:
        check_documents(tmp_path, file)
    assert raised.value.code == "backup_damaged"


@pytest.mark.parametrize("place", [5, 40, -30])
def test_a_changed_byte_is_found(tmp_path, place):
    """Wherever it is, the header that decompression ignores included."""
    file = stored(tmp_path, "a.bson.gz", *DOCUMENTS)
    path = tmp_path / file.name
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(BackupDamagedError):
        check_documents(tmp_path, file)


def test_bytes_behind_the_end_are_found(tmp_path):
    """A file that has grown is not what was written."""
    file = stored(tmp_path, "a.bson.gz", *DOCUMENTS)
    with (tmp_path / file.name).open("ab") as end:
        end.write(b"\0" * 20)
    with pytest.raises(BackupDamagedError):
        check_documents(tmp_path, file)


def test_a_missing_file_is_named(tmp_path):
    """Before anything is restored."""
    folder = BackupFolder(tmp_path)
    place = full_backup(folder, 100, *DOCUMENTS)
    (place / "m.bson.gz").unlink()
    with pytest.raises(BackupDamagedError, match=r"m\.bson\.gz: the file is missing"):
        plan_for(folder, None).check(nothing_told)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"documents": 50', '"documents": 49'),
        ('"format": 1', '"format": 2'),
        ("{", ""),
        ("{", "[1]{"),
    ],
)
def test_a_changed_manifest_is_named(tmp_path, old, new):
    """Its own checksum does not fit any more, or it is no manifest; others are read."""
    folder = BackupFolder(tmp_path)
    manifest = full_backup(folder, 100, *DOCUMENTS) / MANIFEST
    whole = full_backup(folder, 200, *DOCUMENTS) / MANIFEST
    manifest.write_text(manifest.read_text().replace(old, new, 1))
    found = folder.full_backups()
    assert [path for path, _ in found.whole] == [whole]
    assert [one.error.file for one in found.damaged] == [str(manifest)]


@pytest.mark.parametrize("content", ["[]", "1", "null", "{}", ""])
def test_what_is_no_manifest_at_all_is_named(tmp_path, content):
    """Whatever lies where one should."""
    folder = BackupFolder(tmp_path)
    manifest = full_backup(folder, 100) / MANIFEST
    manifest.write_text(content)
    [damaged] = folder.damaged()
    assert damaged.moment == Timestamp(100, 1)
    manifest.unlink()
    manifest.mkdir()
    [damaged] = folder.damaged()
    assert "unreadable" in damaged.error.reason


def test_a_backup_without_a_manifest_is_none(tmp_path):
    """It was interrupted; the one before it is used."""
    folder = BackupFolder(tmp_path)
    full_backup(folder, 100, *DOCUMENTS)
    (full_backup(folder, 200, *DOCUMENTS) / MANIFEST).unlink()
    assert plan_for(folder, None).full.moment == Timestamp(100, 1)


@pytest.mark.parametrize("name", ["../m.bson.gz", "/srv/m.bson.gz", ".."])
def test_a_manifest_names_no_file_elsewhere(tmp_path, name):
    """Retention removes what a segment names, wherever that would be."""
    place = full_backup(BackupFolder(tmp_path), 100, *DOCUMENTS)
    document = json.loads((place / MANIFEST).read_text())
    del document["sha256"]
    document["before"]["name"] = name
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    document["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (place / MANIFEST).write_text(json.dumps(document))
    with pytest.raises(BackupDamagedError, match="no file's name"):
        plan_for(BackupFolder(tmp_path), None)
