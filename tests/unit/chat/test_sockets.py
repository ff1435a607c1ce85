"""Socket.IO frames, rates and rooms, without a socket."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel import AppError, FrozenClock, SessionId, UnavailableError
from services.chat.schemas import MessageResource
from services.chat.service.wire import message_wire
from services.chat.sockets.client import Client
from services.chat.sockets.dispatch import Dispatcher, EventRates, Route
from services.chat.sockets.frames import (
    FrameInvalidError,
    encode_ack,
    encode_event,
    error_result,
    parse_event,
)
from services.chat.sockets.payloads import SetPresence
from services.chat.sockets.rates import Gcra, Violations
from services.chat.sockets.rooms import LocalRooms
from tests.unit.chat.support import ADA, GRACE, Chat, draft


class RecordingSocket:
    """`ClientSocket` that keeps what was written."""

    client_address = "-"

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.is_closed = False

    def send_frame(self, frame: bytes) -> None:
        """Keep a frame."""
        self.frames.append(frame)

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True


def client(user_id=ADA, sid: str = "s1") -> Client:
    """Return a client on a recording socket."""
    return Client(RecordingSocket(), sid, user_id, SessionId("session"), violations=3)


def test_events_and_acks_are_socket_io_packets() -> None:
    """The frames are those of protocol revision 5."""
    assert encode_event("a.b", {"x": 1}) == b'42["a.b",{"x":1}]'
    assert encode_ack("17", {"ok": True}) == b'4317[{"ok":true}]'
    event = parse_event('17["a.b",{"x":1}]')
    assert (event.name, bytes(event.payload), event.ack_id) == ("a.b", b'{"x":1}', "17")
    assert parse_event('["a.b",7]').ack_id == ""


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Whatever a client writes is an event or one known error."""
    with contextlib.suppress(FrameInvalidError):
        assert isinstance(parse_event(text).name, str)


def test_errors_carry_code_and_retry_time() -> None:
    """A client sees why, and when to come back."""
    error = UnavailableError("busy", "Busy.", retry_after_seconds=0.5, is_unknown=True)
    assert error_result(error) == {
        "error": {
            "code": "busy",
            "message": "Busy.",
            "retry_after_seconds": 0.5,
            "is_unknown": True,
        }
    }


def test_a_burst_passes_then_the_steady_rate() -> None:
    """Thirty at once, then ten a second."""
    limiter = Gcra(10, 30)
    waits = [limiter.wait_seconds(100.0) for _ in range(31)]
    assert waits[:30] == [0.0] * 30
    assert waits[30] == pytest.approx(0.1)
    assert limiter.wait_seconds(100.11) == 0.0
    assert limiter.wait_seconds(100.11) > 0


@given(st.lists(st.floats(0, 0.5), max_size=200))
def test_no_arrival_pattern_beats_the_rate(gaps: list[float]) -> None:
    """In any time t at most burst + t x rate events pass."""
    limiter, now, passed = Gcra(10, 5), 0.0, 0
    for gap in gaps:
        now += gap
        passed += limiter.wait_seconds(now) == 0
        assert passed <= 5 + now * 10 + 1


def test_violations_count_seconds_in_a_row() -> None:
    """One wild second is forgiven, three in a row are not."""
    violations = Violations(3)
    assert not any(violations.is_too_many(10.0 + n / 100) for n in range(50))
    assert not violations.is_too_many(11.0)
    assert violations.is_too_many(12.5)
    assert not Violations(3).is_too_many(20.0)


def test_an_event_is_encoded_once_for_a_room() -> None:
    """Every socket of the rooms gets the same frame, once."""
    rooms = LocalRooms()
    one, two, other = client(), client(GRACE, "s2"), client(GRACE, "s3")
    for known in (one, two, other):
        rooms.add(known)
    rooms.enter("a", one)
    rooms.enter("a", two)
    rooms.enter("b", two)
    assert rooms.emit(("a", "b", "c"), "x", {}) == 2
    assert one.socket.frames[0] is two.socket.frames[0]
    assert rooms.emit(("a",), "x", {}, except_users=(ADA,)) == 1
    assert rooms.remove_user("a", GRACE) == 1
    assert rooms.emit(("c",), "x", {}) == 0
    rooms.remove(one)
    assert not rooms.has("a")
    assert (rooms.count_of(ADA), rooms.count_of(GRACE)) == (0, 2)


async def answered(dispatcher: Dispatcher, on: Client, text: str) -> object:
    """Return the acknowledgement of an event."""
    dispatcher.on_event(on, text)
    await dispatcher.drain()
    return json.loads(on.socket.frames[-1][3:])[0]


async def test_the_dispatcher_answers_everything() -> None:
    """A result, a domain error, and a bug each have their acknowledgement."""
    failures: list[Exception] = []

    async def handle(_: Client, payload: SetPresence) -> object:
        if failures:
            raise failures.pop()
        return {"status": payload.status}

    routes = {"presence.set": Route(SetPresence, handle)}
    dispatcher = Dispatcher(routes, EventRates(events=(1, 5)), FrozenClock())
    on = client()
    event = '1["presence.set",{"status":"away"}]'
    assert await answered(dispatcher, on, event) == {"status": "away"}
    failures.append(UnavailableError("busy", "Busy."))
    assert (await answered(dispatcher, on, event))["error"]["code"] == "busy"
    failures.append(ValueError("bug"))
    assert (await answered(dispatcher, on, event))["error"]["code"] == "internal"
    wrong = '1["presence.set",{"status":"away","more":1}]'
    assert (await answered(dispatcher, on, wrong))["error"]["code"] == (
        "payload_invalid"
    )
    unknown = await answered(dispatcher, on, '1["x",{}]')
    assert unknown["error"]["code"] == "event_unknown"
    limited = await answered(dispatcher, on, event)
    assert limited["error"]["code"] == "rate_limited"
    assert limited["error"]["retry_after_seconds"] > 0
    assert on.in_flight == 0


async def test_rest_and_live_state_the_same_message() -> None:
    """The OpenAPI model has the fields of the live payload, and no other."""
    chat = Chat()
    group = await chat.group()
    async with chat.writer.running():
        wire = message_wire(await chat.writer.submit(draft(group)))
    assert set(wire) == set(MessageResource.model_fields)
    assert isinstance(MessageResource.model_validate(wire), MessageResource)
    assert issubclass(FrameInvalidError, AppError)
