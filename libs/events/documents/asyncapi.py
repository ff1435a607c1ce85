"""The AsyncAPI 3.0 document of the whole house."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from libs.events.bus import Worker
from libs.events.documents.examples import example_envelope
from libs.events.envelope import CONTENT_TYPE, schema_urn
from libs.events.event import Event, event_classes
from libs.events.names import queue_name

_SCHEMAS = "#/components/schemas/{name}"


def asyncapi_document(workers: Sequence[Worker]) -> dict[str, Any]:
    """Return the document; queues stand under ``x-queue``.

    The amqp binding 0.3.0 cannot name a queue and an exchange together, hence the
    extension.
    """
    classes = sorted(event_classes().values(), key=lambda cls: cls.event_type)
    _, schemas = msgspec.json.schema_components(classes, ref_template=_SCHEMAS)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Parley events",
            "version": "1",
            "description": "Every domain fact, on a topic exchange of its entity.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {cls.event_type: _channel(cls) for cls in classes},
        "operations": dict(_operations(workers)),
        "components": {
            "messages": {cls.event_type: _message(cls) for cls in classes},
            "schemas": schemas | {cls.event_type: _envelope(cls) for cls in classes},
        },
    }


def _channel(cls: type[Event]) -> dict[str, Any]:
    exchange = {"name": cls.event_exchange(), "type": "topic", "durable": True}
    return {
        "address": cls.event_type,
        "messages": {
            cls.event_type: {"$ref": f"#/components/messages/{cls.event_type}"}
        },
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": exchange | {"autoDelete": False, "vhost": "/"},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _message(cls: type[Event]) -> dict[str, Any]:
    return {
        "name": cls.__name__,
        "summary": (cls.__doc__ or "").strip().partition("\n")[0],
        "contentType": CONTENT_TYPE,
        "payload": {
            "type": "array",
            "minItems": 1,
            "maxItems": 64,
            "items": {"$ref": _SCHEMAS.format(name=cls.event_type)},
        },
        "examples": [{"payload": [example_envelope(cls, "/example")]}],
    }


def _envelope(cls: type[Event]) -> dict[str, Any]:
    text = {"type": "string"}
    required = ["id", "source", "specversion", "type", "time", "dataschema", "data"]
    return {
        "type": "object",
        "required": required,
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "source": text,
            "specversion": {"const": "1.0"},
            "type": {"const": cls.event_type},
            "subject": text,
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"const": schema_urn(cls.event_type, cls.event_version)},
            "partitionkey": text,
            "sequence": text,
            "correlationid": text,
            "causationid": text,
            "traceparent": text,
            "data": {"$ref": _SCHEMAS.format(name=cls.__name__)},
        },
    }


def _operations(workers: Sequence[Worker]) -> Iterator[tuple[str, dict[str, Any]]]:
    for worker in workers:
        for cls in worker.emits:
            name = f"{worker.service}.send.{cls.event_type}"
            yield name, _operation("send", cls)
        for subscription in worker.subscriptions:
            queue = queue_name(worker.service, subscription.name)
            for cls in subscription.events:
                name = f"{queue}.receive.{cls.event_type}"
                yield name, _operation("receive", cls) | {"x-queue": queue}
        for live in worker.live_subscriptions:
            queue = f"{worker.service}.live.*-{live.name}"
            for cls in live.events:
                name = f"{worker.service}.live.{live.name}.receive.{cls.event_type}"
                yield name, _operation("receive", cls) | {"x-queue": queue}


def _operation(action: str, cls: type[Event]) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{cls.event_type}"}}
