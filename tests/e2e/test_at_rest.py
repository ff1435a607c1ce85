"""Acceptance 4: nothing that people wrote is readable at rest."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from libs.kernel import new_id

pytestmark = pytest.mark.e2e

CHUNK = 1 << 22
SINK_FOLDERS = ("mail",)
"""Where the SMTP sink keeps what it delivered: an inbox is clear by its nature."""

BESIDE_MESSAGES = {
    "title": "Voyage to Naples",
    "topic": "Whom we meet under the volcano",
    "first": "We leave on the packet boat of Tuesday",
    "edited": "We leave on the mail coach of Thursday",
    "scheduled": "Remember to pack the barometer",
    "draft": "Perhaps we ought to tell Babbage",
    "note": "The coachman wants three guineas",
}
"""What people write that is no message's present text."""


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


@pytest.fixture
async def written(neighbours) -> list[str]:
    """Write one of each, and see that each is there to be read by its writer."""
    ada, said = neighbours.ada, BESIDE_MESSAGES
    place = f"conversations/{neighbours.names['group']}"
    profile = {"title": said["title"], "topic": said["topic"]}
    message = {"client_message_id": new_id(), "text": said["first"]}
    due_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await ada.call("PATCH", place, profile)
    sent = await ada.call("POST", f"{place}/messages", message)
    own = f"{place}/messages/{sent['message']['message_id']}"
    await ada.call("PATCH", own, {"text": said["edited"]})
    later = {"due_at": due_at, "text": said["scheduled"]}
    await ada.call("POST", f"{place}/scheduled", later)
    await ada.call("PUT", f"{place}/draft", {"text": said["draft"]})
    await ada.call("PUT", f"{own}/bookmark", {"note": said["note"]})
    pages = [place, own, f"{own}/edits", "scheduled", "drafts", "bookmarks"]
    shown = str([await ada.call("GET", page) for page in pages])
    assert [text for text in said.values() if text not in shown] == []
    return list(said.values())


async def test_no_store_holds_a_text(house, told, story_texts, written) -> None:
    """MongoDB, RabbitMQ, Redis, S3, queues and logs hold nothing that people wrote.

    Messages, what they said before an edit, titles, topics, scheduled messages,
    drafts, notes of bookmarks.
    """
    story = told.story
    private = [*story_texts, *written, story.ada.email, story.grace.email, "Bernoulli"]
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
