"""CloudEvents encoding: round trips, versions, and what is broken."""

import contextlib
import json
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events import Event, upcast
from libs.events import event as event_module
from libs.events.catalog import (
    ConversationRead,
    MessageDeleted,
    MessageEdited,
    MessageReacted,
    MessageSent,
)
from libs.events.documents.examples import example_of
from libs.events.envelope import (
    Received,
    Undecodable,
    decode_event,
    decode_frame,
    encode_event,
    encode_frame,
    read_heads,
)
from libs.events.errors import (
    DecodeError,
    EventTooLargeError,
    UnknownTypeError,
    UnknownVersionError,
)
from libs.events.event import event_classes
from libs.events.tracing import Cause
from libs.kernel import EventId, new_id

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
CAUSE = Cause("correlation", "parent", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")


@pytest.fixture
def registry(monkeypatch):
    """Let a test register event types of its own."""
    monkeypatch.setattr(event_module, "_registry", dict(event_module._registry))
    monkeypatch.setattr(event_module, "_upcasters", dict(event_module._upcasters))


def encode(event, event_id="e", cause=CAUSE):
    """Encode an event from chat."""
    return encode_event(event, EventId(event_id), source="/chat", time=NOW, cause=cause)


@pytest.mark.parametrize("event_class", event_classes().values(), ids=str)
def test_every_event_survives_the_wire(event_class):
    """Each class of the catalog is decoded to what was encoded."""
    event = example_of(event_class)
    received = decode_event(encode(event))
    assert received.event == event
    assert received.key == event.event_key
    assert received.time == NOW
    assert received.sequence == event.event_sequence
    assert received.correlation_id == "correlation"
    assert received.causation_id == "parent"
    assert received.traceparent == CAUSE.traceparent


def test_attributes_are_those_of_cloudevents():
    """The JSON has the attributes that a foreign consumer expects."""
    event = MessageDeleted(
        conversation_id="c", message_id="m", seq=3, revision=9, deleted_by="u"
    )
    assert json.loads(encode(event, "id-1")) == {
        "id": "id-1",
        "source": "/chat",
        "specversion": "1.0",
        "type": "message.deleted",
        "subject": "c",
        "time": "2026-01-02T03:04:05.678000Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:parley:event:message.deleted:1",
        "partitionkey": "c",
        "sequence": "9",
        "correlationid": "correlation",
        "causationid": "parent",
        "traceparent": CAUSE.traceparent,
        "data": {
            "conversation_id": "c",
            "message_id": "m",
            "seq": 3,
            "revision": 9,
            "deleted_by": "u",
        },
    }


def test_absent_attributes_are_left_out():
    """What an event does not have does not travel; its id starts a correlation."""
    event = ConversationRead(conversation_id="c", user_id="u", read_seq=1)
    attributes = json.loads(encode(event, "id-1", Cause(None, None, None)))
    assert "sequence" not in attributes
    assert "causationid" not in attributes
    assert "traceparent" not in attributes
    assert attributes["correlationid"] == "id-1"


def test_a_bad_event_costs_no_neighbour():
    """Good events of a frame are decoded beside broken and unknown ones."""
    good = encode(ConversationRead(conversation_id="c", user_id="u", read_seq=1))
    unknown = good.replace(b'"conversation.read"', b'"nobody.knows"')
    newer = good.replace(b"conversation.read:2", b"conversation.read:99")
    spoilt = good.replace(b'"read_seq":1', b'"read_seq":"one"')
    parts = decode_frame(encode_frame([good, b"{}", unknown, newer, spoilt, good]))
    assert [type(part) for part in parts] == [
        Received,
        Undecodable,
        Undecodable,
        Undecodable,
        Undecodable,
        Received,
    ]
    errors = [type(part.error) for part in parts if isinstance(part, Undecodable)]
    assert errors == [DecodeError, UnknownTypeError, UnknownVersionError, DecodeError]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"[1,", b"\xff", b"null"])
def test_a_broken_frame_is_refused_whole(body):
    """What is not an array of something is no frame."""
    with pytest.raises(DecodeError):
        decode_frame(body)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_decoder(body):
    """Whatever comes, a frame decodes or raises DecodeError, nothing else."""
    with contextlib.suppress(DecodeError):
        decode_frame(body)


@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=64))
def test_frames_keep_their_order(numbers):
    """Events come out of a frame as they went in."""
    events = [
        ConversationRead(conversation_id="c", user_id="u", read_seq=number)
        for number in numbers
    ]
    frame = encode_frame(encode(event, new_id()) for event in events)
    assert [part.event for part in decode_frame(frame)] == events


def test_unknown_fields_are_ignored():
    """A field that a newer producer added does no harm."""
    event = ConversationRead(conversation_id="c", user_id="u", read_seq=1)
    body = encode(event).replace(b'"read_seq":1', b'"read_seq":1,"mood":"good"')
    assert decode_event(body).event == event


@pytest.mark.parametrize(
    ("event_class", "added"),
    [
        (MessageSent, ("kind", "mention_kinds", "thread_seq", "forwarded_from")),
        (MessageEdited, ("mention_kinds",)),
        (MessageReacted, ("user_ids", "count")),
    ],
)
def test_messages_of_version_1_are_still_read(event_class, added):
    """What was in a queue or an outbox when the version rose is not lost."""
    old = json.loads(encode(example_of(event_class)))
    old["dataschema"] = f"urn:parley:event:{event_class.event_type}:1"
    for name in added:
        del old["data"][name]
    event = decode_event(json.dumps(old).encode()).event
    assert event.message_id == example_of(event_class).message_id
    assert getattr(event, "kind", "text") == "text"
    assert not getattr(event, "mention_kinds", ())


def test_upcasters_are_chained(registry):
    """A payload of version 1 becomes one of version 3 in two steps."""

    class SampleMade(Event, type="sample.made", version=3, key="sample_id"):
        sample_id: str
        size: int
        colour: str

    @upcast(SampleMade, from_version=1)
    def with_size(data):
        return {"size": 0, **data}

    @upcast(SampleMade, from_version=2)
    def with_colour(data):
        return {"colour": "grey", **data}

    event = SampleMade(sample_id="s", size=1, colour="red")
    old = json.loads(encode(event))
    old["dataschema"] = "urn:parley:event:sample.made:1"
    old["data"] = {"sample_id": "s"}
    received = decode_event(json.dumps(old).encode())
    assert received.event == SampleMade(sample_id="s", size=0, colour="grey")
    old["dataschema"] = "urn:parley:event:sample.made:0"
    with pytest.raises(UnknownVersionError):
        decode_event(json.dumps(old).encode())


@pytest.mark.parametrize("schema", ["", "urn:other:1", "urn:parley:event:x:one"])
def test_a_foreign_dataschema_is_an_unknown_version(schema):
    """Without a version nothing can be said about the payload."""
    event = json.loads(
        encode(ConversationRead(conversation_id="c", user_id="u", read_seq=1))
    )
    event["dataschema"] = schema
    with pytest.raises(UnknownVersionError):
        decode_event(json.dumps(event).encode())


def test_a_version_of_too_many_digits_is_unknown():
    """It costs its event; an error of another kind would leave the frame unsettled."""
    good = encode(ConversationRead(conversation_id="c", user_id="u", read_seq=1))
    bad = re.sub(rb"(conversation.read:)\d", rb"\g<1>" + b"9" * 5000, good)
    one, two = decode_frame(encode_frame([bad, good]))
    assert isinstance(one.error, UnknownVersionError)
    assert two.event.conversation_id == "c"


def test_a_frame_that_nests_too_deep_is_undecodable():
    """As any other text that is not a frame."""
    deep = b"[" * 20_000 + b"]" * 20_000
    good = encode(ConversationRead(conversation_id="c", user_id="u", read_seq=1))
    inside = good.replace(b'"data":{', b'"data":{"x":' + deep + b",")
    for body in (deep, encode_frame([inside])):
        with pytest.raises(DecodeError):
            decode_frame(body)
    with pytest.raises(DecodeError):
        decode_event(inside)


def test_a_sequence_that_is_no_number_is_none():
    """Nor is one with more digits than a number has here."""
    event = json.loads(
        encode(ConversationRead(conversation_id="c", user_id="u", read_seq=1))
    )
    for text in ("9" * 5000, "-1", "one"):
        event["sequence"] = text
        assert decode_event(json.dumps(event).encode()).sequence is None


def test_heads_are_read_without_the_payload():
    """Type, key and number, whatever the payload is; one bad event: none of them."""
    body = encode(example_of(MessageSent))
    event = decode_event(body).event
    unknown = body.replace(b"message.sent", b"message.whispered")
    known, other = read_heads(encode_frame([body, unknown]))
    assert (known.type, known.key) == ("message.sent", event.conversation_id)
    assert known.sequence == event.revision
    assert other.type == "message.whispered"
    (without,) = read_heads(encode_frame([encode(example_of(ConversationRead))]))
    assert without.sequence is None
    assert read_heads(encode_frame([body, b"{}"])) is None
    assert read_heads(b"no frame") is None


def test_an_upcaster_that_fails_makes_a_bad_event(registry):
    """A payload that its version does not explain is undecodable, not a crash."""

    class SampleSent(Event, type="sample.sent", version=2, key="sample_id"):
        sample_id: str

    @upcast(SampleSent, from_version=1)
    def with_id(data):
        return {"sample_id": data["old_id"]}

    old = json.loads(encode(SampleSent(sample_id="s")))
    old["dataschema"] = "urn:parley:event:sample.sent:1"
    for payload in ({}, [], None):
        old["data"] = payload
        with pytest.raises(DecodeError):
            decode_event(json.dumps(old).encode())


def test_an_event_has_a_size_limit():
    """More than 256 KiB is refused before it reaches the outbox."""
    event = ConversationRead(conversation_id="c" * 300_000, user_id="u", read_seq=1)
    with pytest.raises(EventTooLargeError):
        encode(event)


def test_a_type_is_registered_once(registry):
    """Two classes cannot claim one type, and the key must be a field."""
    with pytest.raises(TypeError, match="is taken"):

        class Again(Event, type="message.sent", version=2, key="x"):
            x: str

    with pytest.raises(TypeError, match="none of its fields"):

        class Keyless(Event, type="sample.keyless", key="y"):
            x: str


def test_the_library_imports_without_a_transport():
    """`import libs.events` needs neither aio-pika nor pymongo."""
    code = (
        "import sys; sys.modules.update({m: None for m in "
        "('aio_pika', 'aiormq', 'pamqp', 'pymongo', 'bson')});"
        "import libs.events, libs.events.memory, libs.events.catalog"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
