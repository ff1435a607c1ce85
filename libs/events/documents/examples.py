"""A believable example of each event."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import inspect

from libs.crypto.sealed import Sealed
from libs.events.envelope import encode_event
from libs.events.event import Event
from libs.events.tracing import Cause
from libs.kernel import EventId

_ID = "0199a5c4-7f1e-7abc-8def-0123456789{:02x}"
_TIME = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
_SEALED = Sealed(key_id="2026-01", ciphertext=b"nonce, ciphertext and tag")
_PLAIN: dict[type, object] = {
    inspect.DateTimeType: _TIME,
    inspect.BoolType: True,
    inspect.IntType: 42,
}
_TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_WORDS = {
    "display_name": "Ada Lovelace",
    "inviter_name": "Ada Lovelace",
    "device_name": "Firefox on Linux",
    "locale": "en",
    "time_zone": "Europe/London",
    "status_text": "at the engine",
    "handle": "ada",
    "emoji": "👍",
    "kind": "group",
    "mention_kind": "all",
    "role": "member",
    "reason": "revoked",
    "channel": "push",
    "status": "online",
    "service": "chat",
    "change": "added",
    "content_type": "image/png",
    "history_visibility": "joined",
}


_WORDS_OF: dict[str, dict[str, Any]] = {"message.sent": {"kind": "text"}}
"""Where a field of one event means something else than in the others."""


def example_of(event_class: type[Event]) -> Event:
    """Return an instance with plausible values; the same ones every time."""
    info = inspect.type_info(event_class)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - an Event is one
    own = _WORDS_OF.get(event_class.event_type, {})
    return event_class(**(_values(info) | own))


def example_envelope(event_class: type[Event], source: str) -> dict[str, Any]:
    """Return the example as CloudEvents JSON."""
    body = encode_event(
        example_of(event_class),
        EventId(_ID.format(0xE0)),
        source=source,
        time=_TIME,
        cause=Cause(_ID.format(0xC0), _ID.format(0xC1), _TRACE),
    )
    envelope: dict[str, Any] = msgspec.json.decode(body)
    return envelope


def _values(info: inspect.StructType) -> dict[str, Any]:
    return {
        field.name: _value(field.name, field.type, number)
        for number, field in enumerate(info.fields)
    }


def _value(name: str, kind: inspect.Type, number: int) -> Any:  # noqa: ANN401 - any field type
    if isinstance(kind, inspect.UnionType):
        return _value(name, kind.types[0], number)
    if isinstance(kind, inspect.VarTupleType):
        return (_value(name.removesuffix("s"), kind.item_type, number),)
    if isinstance(kind, inspect.TupleType):
        return tuple(
            _value(part, item, number)
            for part, item in zip(("user_id", "role"), kind.item_types, strict=True)
        )
    if isinstance(kind, inspect.StructType):
        return _SEALED if kind.cls is Sealed else kind.cls(**_values(kind))
    if type(kind) in _PLAIN:
        return _PLAIN[type(kind)]
    return _WORDS.get(name, _ID.format(number))
