"""A schema changes only with its version; the generated documents have every event."""

import json
from pathlib import Path

import msgspec
import pytest

from libs.events import catalog
from libs.events.documents.asyncapi import asyncapi_document
from libs.events.documents.examples import example_of
from libs.events.documents.markdown import render_markdown
from libs.events.documents.schemas import (
    SchemaChangedError,
    differences,
    golden_name,
    render_golden,
    write_goldens,
)
from libs.events.event import event_classes

GOLDEN = Path(__file__).parent / "golden"
CLASSES = list(event_classes().values())


@pytest.mark.parametrize("event_class", CLASSES, ids=lambda cls: cls.event_type)
def test_a_schema_changes_only_with_its_version(event_class):
    """The class still says what its version promised."""
    path = GOLDEN / golden_name(event_class)
    assert path.exists(), "run: python -m libs.events schemas"
    assert path.read_text() == render_golden(event_class), (
        f"{event_class.event_type} changed: give it a new version and an upcaster"
    )


def test_every_event_is_in_the_catalog():
    """A class that the catalog's front does not show is shown to nobody."""
    shown = {getattr(catalog, name) for name in catalog.__all__}
    assert shown == set(CLASSES)


def test_old_versions_keep_their_goldens():
    """A golden of an earlier version is never thrown away: readers may lag."""
    current = {golden_name(cls) for cls in CLASSES}
    for path in GOLDEN.iterdir():
        golden = json.loads(path.read_text())
        assert path.name == f"{golden['type']}.{golden['version']}.json"
        is_old = golden["version"] < event_classes()[golden["type"]].event_version
        assert path.name in current or is_old


def test_a_changed_schema_is_not_overwritten(tmp_path):
    """The generator writes what is missing and refuses what differs."""
    written = write_goldens(tmp_path, is_forced=False)
    assert len(written) == len(event_classes())
    assert differences(tmp_path) == []
    path = tmp_path / "message.deleted.1.json"
    path.write_text("{}")
    assert differences(tmp_path) == [
        "message.deleted.1.json: changed without a new version"
    ]
    with pytest.raises(SchemaChangedError):
        write_goldens(tmp_path, is_forced=False)
    assert write_goldens(tmp_path, is_forced=True) == ["message.deleted.1.json"]


def test_documents_name_every_event():
    """events.md and the AsyncAPI document hold each type, with a valid example."""
    page = render_markdown([])
    document = asyncapi_document([])
    for cls in CLASSES:
        assert f"## {cls.event_type}\n" in page
        assert cls.event_type in document["channels"]
        payload = msgspec.json.encode(example_of(cls))
        assert msgspec.json.decode(payload, type=cls) == example_of(cls)
    assert document["asyncapi"] == "3.0.0"
