"""``docs/events.md``: who emits, who consumes, schema, example."""

import json
from collections.abc import Sequence

import msgspec
from msgspec import inspect

from libs.events.bus import Worker
from libs.events.documents.examples import example_envelope
from libs.events.event import Event, event_classes
from libs.events.names import queue_name

_HEAD = """# Events

Generated from `libs/events/catalog` and the services' workers by
`python -m libs.events docs`; edit those, not this page.

Every event travels as CloudEvents 1.0 JSON inside an array of 1 to 64 events of one
type. Event type = routing key; the exchange is `<entity>.events`. The version is in
`dataschema`. Delivery is at least once; the event's `id` tells copies apart, and
`sequence`, where there is one, tells their order within a `partitionkey`. A field of
type *sealed* is ciphertext.
"""


def render_markdown(workers: Sequence[Worker]) -> str:
    """Return the page."""
    classes = sorted(event_classes().values(), key=lambda cls: cls.event_type)
    rows = [
        "| event | version | key | emitted by | consumed by |",
        "|---|---|---|---|---|",
        *(_row(cls, workers) for cls in classes),
    ]
    sections = [_section(cls, workers) for cls in classes]
    return "\n".join([_HEAD, *rows, "", *sections])


def emitters_of(event_class: type[Event], workers: Sequence[Worker]) -> list[str]:
    """Return the services that emit a type."""
    return [worker.service for worker in workers if event_class in worker.emits]


def consumers_of(event_class: type[Event], workers: Sequence[Worker]) -> list[str]:
    """Return the queues that take a type, and the services that listen live."""
    names = [
        queue_name(worker.service, subscription.name)
        for worker in workers
        for subscription in worker.subscriptions
        if event_class in subscription.events
    ]
    names += [
        f"{worker.service} (live)"
        for worker in workers
        for live in worker.live_subscriptions
        if event_class in live.events
    ]
    return sorted(names)


def _row(cls: type[Event], workers: Sequence[Worker]) -> str:
    emitters = ", ".join(emitters_of(cls, workers)) or "nobody yet"
    consumers = ", ".join(consumers_of(cls, workers)) or "nobody yet"
    anchor = cls.event_type.replace(".", "")
    return (
        f"| [{cls.event_type}](#{anchor}) | {cls.event_version} | "
        f"{cls.event_key_field} | {emitters} | {consumers} |"
    )


def _section(cls: type[Event], workers: Sequence[Worker]) -> str:
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - an Event is one
    source = "/" + (emitters_of(cls, workers) or [cls.event_type.partition(".")[0]])[0]
    example = json.dumps(example_envelope(cls, source), indent=2, ensure_ascii=False)
    fields = "\n".join(
        f"| `{field.name}` | {_type(field.type)} |" for field in info.fields
    )
    return (
        f"## {cls.event_type}\n\n{_prose(cls)}\n\n"
        f"`{cls.__name__}`, exchange `{cls.event_exchange()}`\n\n"
        f"| field | type |\n|---|---|\n{fields}\n\n"
        f"```json\n{example}\n```\n"
    )


def _prose(cls: type[Event]) -> str:
    lines = (cls.__doc__ or "").strip().splitlines()
    return "\n".join(line.strip() for line in lines)


def _type(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.UnionType):
        return " or ".join(_type(part) for part in kind.types)
    if isinstance(kind, inspect.VarTupleType):
        return f"list of {_type(kind.item_type)}"
    if isinstance(kind, inspect.TupleType):
        return "(" + ", ".join(_type(part) for part in kind.item_types) + ")"
    if isinstance(kind, inspect.StructType):
        return kind.cls.__name__.lower()
    names = {
        inspect.StrType: "text",
        inspect.IntType: "integer",
        inspect.BoolType: "boolean",
        inspect.NoneType: "nothing",
        inspect.DateTimeType: "time",
    }
    return names.get(type(kind), type(kind).__name__.removesuffix("Type").lower())


def render_json(document: object) -> str:
    """Return a JSON document as it is written to a file."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
