"""The golden schema of each event type and version."""

import json
from pathlib import Path
from typing import Any

import msgspec

from libs.events.event import Event, event_classes

_MISSING = ": missing"


class SchemaChangedError(Exception):
    """A schema changed, but its version did not."""


def golden_name(event_class: type[Event]) -> str:
    """Return the file name of a golden schema: ``message.sent.1.json``."""
    return f"{event_class.event_type}.{event_class.event_version}.json"


def golden_of(event_class: type[Event]) -> dict[str, Any]:
    """Return what a version of a type promises: key and JSON schema, no prose."""
    return {
        "type": event_class.event_type,
        "version": event_class.event_version,
        "key": event_class.event_key_field,
        "schema": _without_prose(msgspec.json.schema(event_class)),
    }


def render_golden(event_class: type[Event]) -> str:
    """Return the text of the golden file."""
    return json.dumps(golden_of(event_class), indent=2, sort_keys=True) + "\n"


def differences(folder: Path) -> list[str]:
    """Return a line for each schema that differs from its golden file or has none."""
    lines = []
    for event_class in event_classes().values():
        path = folder / golden_name(event_class)
        if not path.exists():
            lines.append(f"{path.name}{_MISSING}")
        elif path.read_text() != render_golden(event_class):
            lines.append(f"{path.name}: changed without a new version")
    return lines


def write_goldens(folder: Path, *, is_forced: bool) -> list[str]:
    """Write missing golden files; returns their names.

    Raises:
        SchemaChangedError: One is there and differs, and it is not forced: give the
            event a new version and an upcaster instead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    changed = [line for line in differences(folder) if not line.endswith(_MISSING)]
    if changed and not is_forced:
        raise SchemaChangedError("; ".join(changed))
    written = []
    for event_class in event_classes().values():
        path = folder / golden_name(event_class)
        text = render_golden(event_class)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            written.append(path.name)
    return written


def _without_prose(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Drop descriptions: a reworded docstring is no change of the schema."""
    if isinstance(schema, dict):
        return {
            name: _without_prose(value)
            for name, value in schema.items()
            if not (name == "description" and isinstance(value, str))
        }
    if isinstance(schema, list):
        return [_without_prose(value) for value in schema]
    return schema
