"""Supervised tasks, the breaker, the session watch, and pages."""

import asyncio
import time
from datetime import timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from libs.chassis.breaker import Breaker
from libs.chassis.metrics import watch_loop_lag
from libs.chassis.pagination import (
    CursorInvalidError,
    cursor_id,
    decode_cursor,
    encode_cursor,
)
from libs.chassis.sessions import RevokedSession, SessionWatch
from libs.chassis.tasks import TaskSupervisor
from libs.events.catalog.session import SessionRevoked
from libs.kernel import FrozenClock, InvalidError, UnavailableError, new_id
from tests.support.firing import Watched, assert_fires


@pytest.fixture
def clock():
    """Time stands still."""
    return FrozenClock()


async def until(condition):
    """Give other tasks their turn until something holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - no event to wait for
            await asyncio.sleep(0.001)


# ---- tasks


@pytest.fixture
def hurry(monkeypatch):
    """Restart at once."""
    monkeypatch.setattr("libs.chassis.tasks._FIRST_DELAY_SECONDS", 0.001)


async def test_a_failing_task_is_started_again(hurry, logs):
    """Until it returns; every failure is logged."""
    runs = []

    async def work():
        runs.append(1)
        if len(runs) == 1:
            raise ValueError("private")
        if len(runs) == 2:
            raise UnavailableError("broker_away", "no")

    async with TaskSupervisor() as tasks:
        await tasks.start("work", work)
    assert len(runs) == 3
    assert [log["log_level"] for log in logs] == ["error", "warning"]
    assert logs[1]["error"] == "broker_away"


async def test_the_delay_grows_and_is_forgotten_after_health(hurry, clock, monkeypatch):
    """A task that ran for a minute starts over with short delays."""
    delays = []

    async def sleep(seconds):
        delays.append(seconds)

    monkeypatch.setattr("libs.chassis.tasks.random.uniform", lambda *_: 1.0)
    monkeypatch.setattr("libs.chassis.tasks.asyncio.sleep", sleep)

    async def work():
        if len(delays) == 3:
            clock.advance(timedelta(seconds=61))
        if len(delays) < 5:
            raise OSError

    watched = Watched("chat")
    watched.look()
    async with TaskSupervisor(clock) as tasks:
        await tasks.start("work", work)
    assert delays == [0.001, 0.002, 0.004, 0.001, 0.002]
    watched.look()
    assert_fires("BackgroundTaskFails", watched)


async def test_leaving_ends_what_runs(logs):
    """Cancellation passes through and is waited for."""
    ended = []

    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append(1)

    async with TaskSupervisor() as tasks:
        tasks.start("a", work)
        tasks.spawn("b", work)
        await asyncio.sleep(0)
    assert ended == [1, 1]
    assert logs == []
    with pytest.raises(RuntimeError):
        tasks.start("late", work)


async def test_a_spawned_task_runs_once(logs):
    """Its failure is logged, not repeated."""
    runs = []

    async def work():
        runs.append(1)
        raise OSError

    async with TaskSupervisor() as tasks:
        await tasks.spawn("once", work)
    assert runs == [1]
    assert logs[0]["event"] == "background_task_failed"


async def test_the_loops_lag_is_measured(monkeypatch):
    """A blocked loop shows in the metrics."""
    monkeypatch.setattr("libs.chassis.metrics._LAG_SECONDS", 0.05)
    watching = asyncio.create_task(watch_loop_lag())
    await asyncio.sleep(0)
    time.sleep(0.4)  # noqa: ASYNC251 - that is the point
    await asyncio.sleep(0.001)
    watching.cancel()
    assert REGISTRY.get_sample_value("event_loop_lag_seconds") > 0.3
    watched = Watched("chat", pages=[(0, "")])
    watched.look()
    assert_fires("EventLoopBusy", watched)


# ---- the breaker


def trip(breaker):
    """Let 20 calls fail."""
    for _ in range(20):
        breaker.failed(breaker.check())


def test_a_few_failures_do_not_open_it(clock):
    """At least 20 calls, at least half of them failed."""
    breaker = Breaker("auth", clock)
    for _ in range(19):
        breaker.failed(breaker.check())
    assert not breaker.is_open
    for _ in range(25):
        breaker.succeeded(breaker.check())
    breaker.failed(breaker.check())
    assert not breaker.is_open


def test_open_it_refuses_at_once_and_then_probes_one_at_a_time(clock):
    """Closed by the first success, open again after a failed probe."""
    breaker = Breaker("auth", clock)
    trip(breaker)
    with pytest.raises(UnavailableError) as caught:
        breaker.check()
    assert caught.value.code == "auth_unavailable"
    clock.advance(timedelta(seconds=2))
    probe = breaker.check()
    assert probe.is_probe
    with pytest.raises(UnavailableError):
        breaker.check()
    breaker.failed(probe)
    with pytest.raises(UnavailableError):
        breaker.check()
    clock.advance(timedelta(seconds=2))
    breaker.succeeded(breaker.check())
    assert not breaker.is_open
    assert not breaker.check().is_probe


def test_calls_from_before_it_opened_say_nothing(clock):
    """HT-6: what hung then ends one by one, and puts off, fails or passes no probe."""
    breaker = Breaker("auth", clock)
    late = [breaker.check() for _ in range(6)]
    trip(breaker)
    breaker.failed(late.pop())
    breaker.succeeded(late.pop())
    assert breaker.is_open
    clock.advance(timedelta(seconds=2))
    probe = breaker.check()
    breaker.failed(late.pop())
    breaker.succeeded(late.pop())
    breaker.withdrawn(late.pop())
    with pytest.raises(UnavailableError):
        breaker.check()
    breaker.succeeded(probe)
    assert not breaker.is_open
    for leave in (late.pop(), *[probe] * 30):
        breaker.failed(leave)
    assert not breaker.is_open


def test_a_probe_that_was_given_up_makes_room_for_the_next(clock):
    """Its caller left: that says nothing of the service."""
    breaker = Breaker("auth", clock)
    trip(breaker)
    clock.advance(timedelta(seconds=2))
    breaker.withdrawn(breaker.check())
    assert breaker.check().is_probe


def test_a_lost_probe_does_not_hold_for_ever(clock):
    """Its task may have been cancelled; what it says later is late."""
    breaker = Breaker("auth", clock)
    trip(breaker)
    clock.advance(timedelta(seconds=2))
    lost = breaker.check()
    clock.advance(timedelta(seconds=10))
    breaker.check()
    breaker.succeeded(lost)
    assert breaker.is_open


def test_old_calls_are_forgotten(clock):
    """The window is ten seconds."""
    breaker = Breaker("auth", clock)
    for _ in range(19):
        breaker.failed(breaker.check())
    clock.advance(timedelta(seconds=11))
    breaker.failed(breaker.check())
    assert not breaker.is_open


# ---- sessions


class Auth:
    """Auth's list of ended sessions, in pages if it is long."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def get(self, path, *, params=None):
        """Give the next answer, or raise it."""
        self.asked.append((path, params["changed_since"]))
        answer = self.answers.pop(0) if self.answers else {"revoked": [], "as_of": "z"}
        if isinstance(answer, Exception):
            raise answer
        return answer


def ended(*session_ids, as_of="t1"):
    """One answer of auth."""
    return {
        "revoked": [
            {"session_id": sid, "user_id": f"user-of-{sid}", "revoked_at": "x"}
            for sid in session_ids
        ],
        "as_of": as_of,
    }


async def test_it_knows_from_the_start_what_ended_before(clock):
    """SR-4: a restarted process asks before it serves."""
    auth = Auth(ended("s1"))
    async with SessionWatch(None, auth, clock).run() as watch:
        assert watch.is_revoked("s1")
        assert not watch.is_revoked("s2")
        await watch.check()
    path, since = auth.asked[0]
    assert path == "/internal/sessions"
    assert since == "2025-12-31T23:54:00+00:00"


async def test_it_goes_on_from_the_last_answer(clock):
    """`as_of` comes back as `changed_since`."""
    auth = Auth(ended("s1", as_of="t1"), ended("s2", as_of="t2"), ended())
    watch = SessionWatch(None, auth, clock)
    for _ in range(3):
        await watch.poll()
    assert [since for _, since in auth.asked[1:]] == ["t1", "t2"]
    assert watch.is_revoked("s2")


async def test_a_full_answer_is_followed_by_the_next(clock):
    """After a mass revocation the list is read to its end at once."""
    full = ended(*(f"s{i}" for i in range(1000)), as_of="cursor")
    auth = Auth(full, ended("last", as_of="t2"))
    watch = SessionWatch(None, auth, clock)
    await watch.poll()
    assert watch.is_revoked("s999")
    assert watch.is_revoked("last")


async def test_callbacks_hear_of_each_session_once(clock):
    """From whatever source first; plain functions and coroutine functions."""
    heard = []

    async def later(session):
        await asyncio.sleep(0)
        heard.append(session)

    async with SessionWatch(None, Auth(), clock).run() as watch:
        watch.on_revoked(heard.append)
        watch.on_revoked(later)
        event = SessionRevoked(user_id="u1", session_id="s1", reason="logout")
        await watch.handle_event(event)
        await watch.handle_event(event, object())
        watch.revoke("s1", "u1")
        await until(lambda: len(heard) == 2)
    assert heard == [RevokedSession("s1", "u1")] * 2


async def test_a_failing_callback_does_not_hold_up_the_others(clock, logs):
    """One socket that cannot be closed is not all sockets."""
    heard = []

    def broken(_):
        raise OSError

    async with SessionWatch(None, Auth(), clock).run() as watch:
        watch.on_revoked(broken)
        watch.on_revoked(heard.append)
        watch.revoke("s1", "u1")
        await until(lambda: heard)
    assert logs[0]["event"] == "background_task_failed"


async def test_memory_is_bounded_by_a_tokens_life(clock, monkeypatch):
    """An ended session is forgotten when no token of it can be valid."""
    monkeypatch.setattr("libs.chassis.sessions._POLL_SECONDS", 0.001)
    async with SessionWatch(None, Auth(ended("s1")), clock).run() as watch:
        clock.advance(timedelta(seconds=359))
        await asyncio.sleep(0.01)
        assert watch.is_revoked("s1")
        clock.advance(timedelta(seconds=1))
        await until(lambda: not watch.is_revoked("s1"))


@pytest.mark.parametrize(
    "answer",
    [
        UnavailableError("auth_unavailable", "no"),
        TimeoutError(),
        {},
        [],
        None,
        {"revoked": [{}], "as_of": "t"},
        {"revoked": [], "nothing": 1},
    ],
)
async def test_it_starts_without_auth_and_says_so(clock, logs, monkeypatch, answer):
    """Live sources still work; health degrades; the next poll tries again."""
    monkeypatch.setattr("libs.chassis.sessions._POLL_SECONDS", 0.001)
    auth = Auth(answer, UnavailableError("auth_unavailable", "no"), ended("s1"))
    async with SessionWatch(None, auth, clock).run() as watch:
        with pytest.raises(UnavailableError):
            await watch.check()
        watch.revoke("live", "u")
        assert watch.is_revoked("live")
        await until(lambda: watch.is_revoked("s1"))
        await watch.check()
    assert logs[-1]["event"] == "sessions_not_polled"


class Channel:
    """A subscription of Redis' client, fed by a list."""

    def __init__(self, messages):
        self.messages = messages

    def pubsub(self, **_):
        """Subscribe."""
        return self

    async def __aenter__(self):
        """Enter."""
        return self

    async def __aexit__(self, *_):
        """Leave."""

    async def subscribe(self, channel):
        """Check the channel's name."""
        assert channel == "session.revoked"

    async def get_message(self, timeout):  # noqa: ASYNC109 - redis' own
        """Give the next message, nothing after the last."""
        await asyncio.sleep(0 if self.messages else timeout)
        return {"data": self.messages.pop(0)} if self.messages else None


async def test_the_channel_is_heard_and_nonsense_on_it_is_not(clock, logs):
    """Only JSON with both ids counts."""
    messages = [
        b"",
        b"not json",
        b"[]",
        b"7",
        b'{"session_id": "s0"}',
        None,
        7,
        orjson.dumps({"session_id": "s1", "user_id": "u1"}),
        '{"session_id": "s2", "user_id": "u1"}',
    ]
    channel = Channel(messages)
    async with SessionWatch(channel, Auth(), clock).run() as watch:
        await until(lambda: watch.is_revoked("s2"))
        assert watch.is_revoked("s1")
        assert not watch.is_revoked("s0")
    refused = [log for log in logs if log["event"] == "session_message_refused"]
    assert len(refused) == 7


async def test_auth_is_asked_again_when_the_channel_comes_back(clock):
    """What was announced before we listened is not lost for 5 s."""
    auth = Auth(ended(), ended("missed"))
    async with SessionWatch(Channel([]), auth, clock).run() as watch:
        await until(lambda: watch.is_revoked("missed"))


# ---- pages

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)


@given(st.dictionaries(st.text("abc_", min_size=1, max_size=5), SCALARS, max_size=5))
def test_a_cursor_comes_back_as_it_was(position):
    """Opaque to the client, exact for us."""
    cursor = encode_cursor(position)
    assert decode_cursor(cursor) == position
    assert cursor.isascii()
    assert "=" not in cursor


@given(st.text(max_size=100))
def test_any_text_is_a_cursor_or_refused(text):
    """Nothing but `cursor_invalid` comes out, and only scalars come through."""
    try:
        position = decode_cursor(text)
    except InvalidError as error:
        assert error.code == "cursor_invalid"  # noqa: PT017 - either is right
    else:
        assert all(not isinstance(v, (dict, list)) for v in position.values())


@pytest.mark.parametrize(
    "position",
    [
        b'{"a":{"$gt":""}}',
        b'{"a":["x"]}',
        b'["a"]',
        b'"a"',
        b"7",
        b"",
        b"\xff",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":"' + b"x" * 257 + b'"}',
        b"{" + b",".join(b'"%d":1' % i for i in range(9)) + b"}",
        b'{"a":"' + b"x" * 2000 + b'"}',
    ],
)
def test_operators_and_nonsense_in_a_cursor_are_refused(position):
    """NI-1: a cursor that a client wrote itself holds scalars or nothing."""
    import base64  # noqa: PLC0415 - the one place

    with pytest.raises(InvalidError):
        decode_cursor(base64.urlsafe_b64encode(position).decode().rstrip("="))


def test_no_cursor_is_the_beginning():
    """The first page has none."""
    assert decode_cursor(None) == {}


def test_a_position_that_would_not_come_back_is_a_bug():
    """It is found by the list that made it."""
    with pytest.raises(ValueError, match="too large"):
        encode_cursor({"a": "x" * 300})


def test_the_id_of_a_position_is_read_or_refused():
    """One answer for every cursor that this list did not make."""
    known = new_id()
    assert cursor_id(None, "after") is None
    assert cursor_id(encode_cursor({"after": known}), "after") == known
    for position in ({"before": known}, {"after": 7}, {"after": "x"}, {}):
        with pytest.raises(CursorInvalidError, match="not made by this list") as caught:
            cursor_id(encode_cursor(position), "after")
        assert caught.value.code == "cursor_invalid"
