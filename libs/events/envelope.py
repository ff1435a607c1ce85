"""CloudEvents 1.0 JSON: one event encoded once, frames of up to 64 events.

A frame is always a JSON array, also for one event, so there is one decoder. What a
frame holds is judged event by event: a bad one never costs its neighbours.
Source: CloudEvents 1.0.2, JSON batch format; ADR 0004.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from libs.events.errors import (
    DecodeError,
    EventTooLargeError,
    UnknownTypeError,
    UnknownVersionError,
)
from libs.events.event import Event, event_classes, upcaster_for
from libs.events.tracing import Cause
from libs.kernel import EventId

CONTENT_TYPE = "application/cloudevents-batch+json"
SCHEMA_PREFIX = "urn:parley:event:"
MAX_EVENT_BYTES = 256 * 1024

_UNSET = msgspec.UNSET
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MOST_DIGITS = 18  # what fits 64 bits


class CloudEvent(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """The attributes of one event on the wire; `data` is the payload."""

    id: str
    source: str
    specversion: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str
    dataschema: str
    partitionkey: str
    correlationid: str
    sequence: str | msgspec.UnsetType = _UNSET
    causationid: str | msgspec.UnsetType = _UNSET
    traceparent: str | msgspec.UnsetType = _UNSET
    data: Any  # an Event when encoding


class _Incoming(msgspec.Struct, kw_only=True, gc=False):
    """What a reader needs of an event; anything else is ignored."""

    id: str
    type: str
    time: datetime
    dataschema: str
    data: msgspec.Raw
    subject: str = ""
    partitionkey: str = ""
    correlationid: str = ""
    sequence: str | None = None
    causationid: str | None = None
    traceparent: str | None = None


class EventHead(msgspec.Struct, frozen=True, gc=False):
    """What is read of an event before its payload is decoded.

    Attributes:
        type: Its type.
        key: Its partition key.
        number: CloudEvents ``sequence`` as it is written.
    """

    type: str
    key: str = msgspec.field(name="partitionkey")
    number: str | None = msgspec.field(name="sequence", default=None)

    @property
    def sequence(self) -> int | None:
        """CloudEvents ``sequence``, the revision of the aggregate; None without."""
        return _parse_sequence(self.number)


class Received(msgspec.Struct, frozen=True, gc=False):
    """One decoded event with the attributes that travelled with it.

    Attributes:
        frame: The frame it came in.
        place: Its place there.
    """

    id: EventId
    event: Event
    key: str
    time: datetime
    sequence: int | None
    correlation_id: str
    causation_id: str | None
    traceparent: str | None
    frame: bytes
    place: int = 0

    @property
    def raw(self) -> bytes:
        """The event as it came, for a retry tier or a dead letter."""
        return bytes(_frame_decoder.decode(self.frame)[self.place])

    @property
    def type(self) -> str:
        """Type of the event, which is its routing key."""
        return self.event.event_type

    @property
    def cause(self) -> Cause:
        """What events that this one causes inherit."""
        return Cause(self.correlation_id, self.id, self.traceparent)


@dataclass(frozen=True, slots=True)
class Undecodable:
    """One event of a good frame that cannot be read here."""

    error: DecodeError
    raw: bytes


_encoder = msgspec.json.Encoder()
_frame_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_event_decoder = msgspec.json.Decoder(_Incoming)
_events_decoder = msgspec.json.Decoder(list[_Incoming])
_heads_decoder = msgspec.json.Decoder(list[EventHead])


def encode_event(
    event: Event, event_id: EventId, *, source: str, time: datetime, cause: Cause
) -> bytes:
    """Encode one event as CloudEvents JSON.

    Args:
        event: The payload.
        event_id: UUIDv7.
        source: For example ``/chat``.
        time: When it happened, aware.
        cause: What it inherits; without a correlation id its own id is one.

    Raises:
        EventTooLargeError: It has more than 256 KiB.
    """
    sequence = event.event_sequence
    key = event.event_key
    body = _encoder.encode(
        CloudEvent(
            id=event_id,
            source=source,
            specversion="1.0",
            type=event.event_type,
            subject=key,
            time=time,
            datacontenttype="application/json",
            dataschema=schema_urn(event.event_type, event.event_version),
            partitionkey=key,
            correlationid=cause.correlation_id or event_id,
            sequence=_UNSET if sequence is None else str(sequence),
            causationid=cause.causation_id or _UNSET,
            traceparent=cause.traceparent or _UNSET,
            data=event,
        )
    )
    if len(body) > MAX_EVENT_BYTES:
        raise EventTooLargeError(event.event_type, len(body))
    return body


def encode_frame(bodies: Iterable[bytes]) -> bytes:
    """Join encoded events into one frame."""
    return b"[" + b",".join(bodies) + b"]"


def decode_frame(body: bytes) -> Sequence[Received | Undecodable]:
    """Decode a frame, each event on its own.

    Raises:
        DecodeError: It is not a JSON array, or an empty one.
    """
    try:
        whole = _events_decoder.decode(body)
        if whole:
            return [_receive(part, body, n) for n, part in enumerate(whole)]
    except (DecodeError, *_UNREADABLE):
        pass  # one of them is bad: each on its own
    try:
        parts = _frame_decoder.decode(body)
    except _UNREADABLE as err:
        raise DecodeError("the frame is not a JSON array") from err
    if not parts:
        raise DecodeError("the frame is empty")
    return [_decode_part(part) for part in parts]


def read_heads(body: bytes) -> list[EventHead] | None:
    """Return what a frame's events are, at a quarter of what decoding them costs.

    Returns:
        One for each event, in order; None where any cannot be read: `decode_frame`
        tells which, and why.
    """
    try:
        return _heads_decoder.decode(body)
    except _UNREADABLE:
        return None


def decode_event(raw: bytes) -> Received:
    """Decode one event and bring its payload up to the current version.

    Raises:
        DecodeError: Not an event, or its payload does not fit its schema.
        UnknownTypeError: No such type in the catalog.
        UnknownVersionError: No way from its version to ours.
    """
    try:
        incoming = _event_decoder.decode(raw)
    except _UNREADABLE as err:
        raise DecodeError(f"not a CloudEvent: {err}") from err
    return _receive(incoming, encode_frame([raw]), 0)


def _receive(incoming: _Incoming, frame: bytes, place: int) -> Received:
    event = _decode_payload(incoming)
    return Received(
        id=EventId(incoming.id),
        event=event,
        key=incoming.partitionkey or event.event_key,
        time=incoming.time,
        sequence=_parse_sequence(incoming.sequence),
        correlation_id=incoming.correlationid or incoming.id,
        causation_id=incoming.causationid,
        traceparent=incoming.traceparent,
        frame=frame,
        place=place,
    )


@lru_cache(maxsize=1024)
def schema_urn(event_type: str, version: int) -> str:
    """Return ``dataschema``: ``urn:parley:event:message.sent:1``."""
    return f"{SCHEMA_PREFIX}{event_type}:{version}"


def _decode_part(part: msgspec.Raw) -> Received | Undecodable:
    raw = bytes(part)
    try:
        return decode_event(raw)
    except DecodeError as err:
        return Undecodable(err, raw)


def _decode_payload(incoming: _Incoming) -> Event:
    event_class = event_classes().get(incoming.type)
    if event_class is None:
        raise UnknownTypeError(f"unknown event type {incoming.type[:100]!r}")
    version = _parse_version(incoming.dataschema)
    try:
        if version == event_class.event_version:
            event: Event = _payload_decoder(event_class).decode(incoming.data)
            return event
        payload = _upcast(event_class, version, msgspec.json.decode(incoming.data))
        return msgspec.convert(payload, event_class)
    except _UNREADABLE as err:
        raise DecodeError(f"{incoming.type} version {version}: {err}") from err


def _upcast(
    event_class: type[Event], version: int, payload: dict[str, Any]
) -> dict[str, Any]:
    for step in range(version, max(event_class.event_version, version + 1)):
        upcaster = upcaster_for(event_class.event_type, step)
        if upcaster is None or version > event_class.event_version:
            raise UnknownVersionError(
                f"no way from version {version} of {event_class.event_type}"
            )
        try:
            payload = upcaster(payload)
        except (LookupError, TypeError, ValueError, AttributeError) as err:
            raise DecodeError(
                f"{event_class.event_type} version {step} does not become the next one"
            ) from err
    return payload


@lru_cache(maxsize=1024)
def _payload_decoder(event_class: type[Event]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(event_class)


@lru_cache(maxsize=1024)
def _parse_version(dataschema: str) -> int:
    _, _, version = dataschema.rpartition(":")
    if not dataschema.startswith(SCHEMA_PREFIX) or not _is_number(version):
        raise UnknownVersionError(f"unknown dataschema {dataschema[:100]!r}")
    return int(version)


def _parse_sequence(text: str | None) -> int | None:
    return int(text) if text is not None and _is_number(text) else None


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MOST_DIGITS
