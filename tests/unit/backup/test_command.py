"""Commands that need no server: what they say of a damaged backup, and what not."""

import json

import pytest

from libs.backup.command import main
from libs.backup.folder import MANIFEST, BackupFolder
from tests.unit.backup.folders import damage, full_backup, segment


@pytest.fixture
def spoilt(tmp_path, monkeypatch):
    """Return the manifest of the first of two backups, cut off."""
    monkeypatch.setenv("BACKUP_FOLDER", str(tmp_path))
    monkeypatch.setenv("BACKUP_MONGO_URL", "mongodb://nobody")
    folder = BackupFolder(tmp_path)
    path = full_backup(folder, 100, {"_id": 1}) / MANIFEST
    full_backup(folder, 200, {"_id": 1})
    segment(folder, 200, 300)
    damage(path)
    return path


def test_the_list_names_what_is_damaged(spoilt, capsys):
    """Beside the whole ones, and the moments to which those lead."""
    assert main(["list"]) == 0
    said = capsys.readouterr()
    shown = [json.loads(line) for line in said.out.splitlines()]
    assert [line.get("full", "")[-5:] for line in shown] == ["200.1", ""]
    assert "300.1" in shown[-1]["to"]
    assert said.err == f"damaged: {spoilt}: the manifest is cut off\n"


def test_a_check_fails_for_what_a_restore_does_not_need(spoilt, capsys):
    """That the rest is whole is said; the status tells whoever runs it by a timer."""
    assert main(["verify"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["is_whole"] is True
    assert f"backup_damaged: {spoilt}" in said.err


def test_retention_goes_on_beside_what_is_damaged(spoilt, capsys):
    """And says so each time."""
    assert main(["prune"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["removed"]["full"] == 0
    assert str(spoilt) in said.err
