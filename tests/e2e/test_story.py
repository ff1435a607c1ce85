"""The demo's story through the real edge, and what the world saw of it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.e2e

EXPECTED_TYPES = {
    "account.verification_requested",
    "conversation.created",
    "conversation.member_added",
    "conversation.read",
    "media.processed",
    "media.uploaded",
    "message.sent",
    "notification.sent",
    "presence.changed",
    "project.collaborator_added",
    "project.created",
    "session.started",
    "user.created",
    "user.updated",
    "user.verified",
}
CLOUD_EVENT_ATTRIBUTES = {
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "data",
}


def test_story_is_told(told) -> None:
    """Every step of the story succeeds with real clients."""
    assert len(told.story.steps) >= 20


def test_each_event_is_seen_by_a_foreign_consumer(told) -> None:
    """Acceptance 2: every kind of event of the story passes its exchange."""
    assert {line["event"]["type"] for line in told.seen} >= EXPECTED_TYPES


def test_events_are_cloud_events(told) -> None:
    """Type, routing key and exchange agree, and the envelope is CloudEvents 1.0."""
    for line in told.seen:
        event = line["event"]
        assert event["specversion"] == "1.0"
        assert set(event) >= CLOUD_EVENT_ATTRIBUTES
        assert event["type"] == line["routing_key"]
        assert line["exchange"] == event["type"].split(".")[0] + ".events"
        assert line["content_type"] == "application/cloudevents-batch+json"


def test_event_ids_are_unique(told) -> None:
    """No event of a calm story is published twice."""
    ids = [line["event"]["id"] for line in told.seen]
    assert len(ids) == len(set(ids))


def test_revisions_of_the_group_have_no_gap(told) -> None:
    """The CloudEvents sequence of the group's events counts from 1 without a hole."""
    sequences = [
        int(line["event"]["sequence"])
        for line in told.seen
        if line["event"]["subject"] == told.story.group_id
        and line["event"]["type"] != "conversation.read"
    ]
    assert sorted(sequences) == list(range(1, len(sequences) + 1))


def test_no_event_holds_a_text(told, story_texts) -> None:
    """What people wrote travels sealed."""
    seen = str(told.seen)
    assert all(text not in seen for text in story_texts)


def test_demo_command_tells_it_again(house) -> None:
    """The command behind `make demo` ends with exit status 0 on a stack in use."""
    result = subprocess.run(
        [sys.executable, "-m", "scripts.demo", "--root", str(house.root)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert house.edge_url in result.stdout
