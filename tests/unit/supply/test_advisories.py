"""The audit of the locks against a snapshot."""

import zipfile
from pathlib import Path

import pytest

from scripts.supply import advisories
from scripts.supply.advisories import (
    documents,
    findings_in,
    is_affected,
    main,
    problems_of,
)
from scripts.supply.locks import Pin

SNAPSHOT = Path(__file__).with_name("snapshot")
"""Three documents in OSV's shape, two after public advisories, one withdrawn."""
OLD = {Pin("pyjwt", "2.3.0", ()): ["auth"], Pin("h11", "0.15.0", ()): ["test"]}
FOREVER = "100000"


def archive_in(folder: Path) -> Path:
    """Pack the snapshot as OSV publishes it."""
    path = folder / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for document in SNAPSHOT.glob("*.json"):
            archive.write(document, document.name)
    return path


def test_su_1_old_packages_are_named_with_their_advisory() -> None:
    """By range and by list of versions; a withdrawn advisory names nothing."""
    found = findings_in(documents(SNAPSHOT), OLD)

    assert [(one.name, one.advisory, one.severity, one.locks) for one in found] == [
        (
            "h11",
            "GHSA-vqfr-h8mv-ghfj",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N",
            ("test",),
        ),
        ("pyjwt", "GHSA-ffqj-6fqr-9h24", "high", ("auth",)),
    ]


@pytest.mark.parametrize(
    ("version", "is_hit"),
    [
        ("1.4.9", False),
        ("1.5.0", True),
        ("2.0.0", True),
        ("2.4.0rc1", True),
        ("2.4.0", False),
        ("3.0", False),
        ("3.1", True),
        ("3.2", True),
        ("3.3", False),
        ("7.0+local", True),
    ],
)
def test_ranges_begin_and_end(version: str, *, is_hit: bool) -> None:
    """Fixed ends before a version, last affected after it; a list adds to ranges."""
    events = [
        {"last_affected": "3.2"},
        {"introduced": "3.1"},
        {"fixed": "2.4.0"},
        {"introduced": "1.5.0"},
    ]
    affected = {
        "ranges": [{"type": "ECOSYSTEM", "events": events}, {"type": "GIT"}],
        "versions": ["7.0+local"],
    }

    assert is_affected(version, affected) is is_hit


def test_an_accepted_advisory_needs_to_be_needed() -> None:
    """A reason for what names nothing of ours any more has to go."""
    found = findings_in(documents(SNAPSHOT), OLD)
    reasons = {one.advisory: "the vulnerable call is not made" for one in found}

    assert problems_of(found, reasons) == []
    assert problems_of(found, {})[0].startswith("h11 0.15.0: GHSA-vqfr-h8mv-ghfj")
    assert problems_of([], {"GHSA-x": "why"}) == [
        "GHSA-x is accepted and names nothing of ours"
    ]


def test_our_locks_pass_what_is_fixed(tmp_path, capsys) -> None:
    """The archive is read, and what we pin is past both advisories."""
    assert main([str(archive_in(tmp_path)), "--days", FOREVER]) == 0
    assert "2 advisories as of 2026-11-29" in capsys.readouterr().out


def test_a_locked_package_with_an_advisory_fails(tmp_path, capsys, monkeypatch) -> None:
    """The audit bites: one package too old is one line and status 1."""
    monkeypatch.setattr(advisories, "locked", lambda: OLD)

    assert main([str(archive_in(tmp_path)), "--days", FOREVER]) == 1
    assert "pyjwt 2.3.0: GHSA-ffqj-6fqr-9h24 (high)" in capsys.readouterr().out


@pytest.mark.parametrize("is_empty", [False, True])
def test_an_old_snapshot_proves_nothing(tmp_path, capsys, *, is_empty: bool) -> None:
    """Without an advisory of late, or without any, the answer is no."""
    if not is_empty:
        text = (SNAPSHOT / "GHSA-ffqj-6fqr-9h24.json").read_text()
        (tmp_path / "one.json").write_text(text.replace("2026-11", "2020-11"))

    assert main([str(tmp_path)]) == 1
    assert "days old, 7 may be" in capsys.readouterr().out
