"""The documents of the socket protocol say what the code does."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from pydantic import TypeAdapter

from libs.crypto import FieldSealer, KeyRing
from libs.events.catalog import (
    ConversationRead,
    MessageScheduleFailed,
    PresenceChanged,
    SessionRevoked,
    StatusChanged,
)
from libs.events.catalog.personal import OwnEvent
from libs.events.documents.examples import example_envelope
from libs.kernel import ConversationId, EventId, UserId, new_id
from scripts.asyncapi_sockets import document, routes
from services.chat.consumers import worker
from services.chat.repository.memory import MemoryContacts, MemoryConversations
from services.chat.service.feed import LiveFeed
from services.chat.service.presence_feed import PresenceFeed
from services.chat.sockets.gate import EXPIRY_GRACE_SECONDS, SocketGate
from services.chat.sockets.protocol import ANSWERS, EMITTED
from tests.unit.chat.support import ADA, RecordingRooms

_EMITS = re.compile(
    r"""(?:encode_event|\.emit|LiveItem)\(\s*(?:\w+,\s*)?["']([a-z_]+\.?[a-z_]+)["']"""
)


class OpenLive:
    """`LiveDelivery` that delivers everything at once."""

    def __init__(self, rooms: RecordingRooms) -> None:
        self._rooms = rooms
        self.watched = [ConversationId(new_id())]

    def heard(self) -> None:
        """Do nothing."""

    def is_watched(self, _: str) -> bool:
        """Everything is."""
        return True

    def offer(self, conversation_id, revision, item) -> None:
        """Deliver."""
        self._rooms.emit((conversation_id,), item.event, item.payload)


def live_events() -> list[type]:
    """Return the events that reach sockets from the exchanges."""
    classes = {
        cls for subscription in worker.live_subscriptions for cls in subscription.events
    }
    return sorted(
        (cls for cls in classes - {SessionRevoked} if not issubclass(cls, OwnEvent)),
        key=lambda cls: cls.event_type,
    )


async def told(rooms: RecordingRooms, cls: type) -> None:
    """Let the feed tell of an example of an event."""
    live, sealer = OpenLive(rooms), FieldSealer(KeyRing.generate())
    feed = LiveFeed(live, rooms, None, sealer)
    about_people = PresenceFeed(
        live, rooms, MemoryContacts(MemoryConversations()), sealer
    )
    event = msgspec.convert(example_envelope(cls, "/example")["data"], cls)
    if cls is ConversationRead:
        feed.read(event)
    elif cls is PresenceChanged:
        about_people.presence(event)
    elif cls is StatusChanged:
        event_id = EventId(new_id())
        context = (event_id, cls.event_type, "content", event.user_id)
        content = sealer.seal('["🌴","away"]', *context)
        about_people.status(msgspec.structs.replace(event, content=content), event_id)
    elif cls is MessageScheduleFailed:
        feed.schedule_failed(event)
    else:
        feed.take(event, EventId(new_id()))
    await about_people.tell()


@pytest.mark.parametrize("cls", live_events(), ids=lambda cls: cls.event_type)
async def test_what_is_told_has_the_documented_shape(cls) -> None:
    """Each live event has its row, and its payload fits it as JSON."""
    rooms = RecordingRooms()
    await told(rooms, cls)
    assert rooms.emitted
    for _, name, payload in rooms.emitted:
        as_json = json.loads(msgspec.json.encode(payload))
        TypeAdapter(EMITTED[name]).validate_python(as_json)


def test_every_name_that_the_code_emits_is_documented() -> None:
    """A new event without its row is found here."""
    sources = "\n".join(
        path.read_text(encoding="utf-8") for path in Path("services/chat").rglob("*.py")
    )
    literal = set(_EMITS.findall(sources))
    assert {"resync", "session.revoked", "token.expiring"} <= literal
    assert literal <= set(EMITTED)


def test_every_event_of_clients_has_its_acknowledgement() -> None:
    """The table of answers has the names of the dispatcher's routes."""
    assert set(routes()) == set(ANSWERS)


def test_the_document_leads_nowhere_wrong() -> None:
    """Every reference is there, every event has a channel, an operation, a message."""
    found = document()
    text = json.dumps(found)
    schemas = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert schemas <= set(found["components"]["schemas"])
    names = {f"client.{n}" for n in ANSWERS} | {f"server.{n}" for n in EMITTED}
    assert set(found["channels"]) == names == set(found["components"]["messages"])
    assert len(found["operations"]) == len(names)
    assert all(m["summary"] for m in found["components"]["messages"].values())


def test_what_the_gate_says_has_the_documented_shape() -> None:
    """A farewell is checked like any other event."""
    gate = SocketGate(
        None, None, None, live=None, presence=None, clock=None, sockets_per_user=1
    )
    name, payload = json.loads(gate._resync("shutdown", 4_000)[2:])
    EMITTED[name].model_validate(payload)
    assert 0 < payload["reconnect_after_seconds"] <= 10
    EMITTED["token.expiring"].model_validate(
        {"renew_within_seconds": EXPIRY_GRACE_SECONDS}
    )
    assert UserId(ADA) == ADA
