"""Acceptance 4: nothing that the story's people wrote is readable at rest."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

CHUNK = 1 << 22
SINK_FOLDERS = ("mail",)
"""Where the SMTP sink keeps what it delivered: an inbox is clear by its nature."""


def stored_files(root: Path) -> Iterator[Path]:
    """Yield every file of the stack but the delivered mails."""
    for path in root.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        if any(part in SINK_FOLDERS for part in path.relative_to(root).parts):
            continue
        yield path


def needles(text: str) -> list[bytes]:
    """Return a text as stores might hold it: UTF-8, UTF-16, base64."""
    encoded = text.encode()
    return [
        encoded,
        text.encode("utf-16-le"),
        base64.b64encode(encoded)[:-4],
    ]


def found_in(path: Path, wanted: list[bytes]) -> list[bytes]:
    """Return which of the wanted bytes a file holds."""
    overlap = max(map(len, wanted))
    found: set[bytes] = set()
    tail = b""
    try:
        with path.open("rb") as stream:
            while block := stream.read(CHUNK):
                block = tail + block
                found.update(needle for needle in wanted if needle in block)
                tail = block[-overlap:]
    except (FileNotFoundError, PermissionError):
        return []  # a compaction removed it meanwhile; its successor is read too
    return sorted(found)


def test_scan_would_find_a_text(tmp_path) -> None:
    """The scan itself finds what it looks for, across its blocks."""
    path = tmp_path / "store.wt"
    path.write_bytes(b"\0" * (CHUNK - 3) + b"engine is warm" + b"\0" * 100)
    assert found_in(path, needles("engine is warm")) == [b"engine is warm"]


def test_no_store_holds_a_text(house, told, story_texts) -> None:
    """MongoDB, RabbitMQ, Redis, S3, queues and logs hold no message text."""
    story = told.story
    private = [*story_texts, story.ada.email, story.grace.email, "Bernoulli"]
    private += ["Analytical Engine", "engine.png", story.ada.password]
    wanted = [needle for text in private for needle in needles(text)]
    house.flush_to_disk()
    scanned = 0
    hits = []
    for path in stored_files(house.root):
        scanned += 1
        hits += [(str(path), needle) for needle in found_in(path, wanted)]
    assert hits == []
    assert scanned > 50
