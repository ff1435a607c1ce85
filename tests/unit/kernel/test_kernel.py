"""Ids, clocks and errors."""

import os
import signal
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from libs.kernel import (
    AppError,
    ErrorKind,
    FrozenClock,
    NotFoundError,
    SystemClock,
    UnavailableError,
    ids,
    is_id,
    new_id,
)


def test_ids_are_version_7_and_canonical():
    """RFC 9562: version 7, variant 10, lower case."""
    made = new_id()
    assert uuid.UUID(made).version == 7
    assert uuid.UUID(made).variant == uuid.RFC_4122
    assert str(uuid.UUID(made)) == made
    assert is_id(made)


def test_ids_of_a_process_strictly_increase():
    """Also when more than 4,096 are made in a millisecond."""
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_ids_increase_when_the_clock_goes_back(monkeypatch):
    """A clock that was set back borrows from the future."""
    before = new_id()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 0)
    assert new_id() > before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "0193A5C4-7F1E-7ABC-8DEF-0123456789AB",
        "0193a5c47f1e7abc8def0123456789ab",
        "{0193a5c4-7f1e-7abc-8def-0123456789ab}",
        "0193a5c4-7f1e-7abc-8def-0123456789ab\n",
        "0193a5c4-7f1e-0abc-8def-0123456789ab",
        "0193a5c4-7f1e-7abc-cdef-0123456789ab",
    ],
)
def test_other_texts_are_no_ids(text):
    """Only the canonical form passes: no upper case, braces or trailing newline."""
    assert not is_id(text)


def test_the_system_clock_is_utc_in_milliseconds():
    """What BSON keeps survives a round trip."""
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=1)
    assert SystemClock().monotonic() <= SystemClock().monotonic()


def test_a_frozen_clock_moves_only_when_told():
    """Both of its clocks move together."""
    clock = FrozenClock()
    start = clock.now()
    clock.advance(timedelta(seconds=1.5))
    assert clock.now() - start == timedelta(seconds=1.5)
    assert clock.monotonic() == 1.5


def test_errors_carry_code_and_details():
    """The text for logs holds code and sentence, not the details."""
    error = NotFoundError("thing_not_found", "No such thing.", thing_id="t")
    assert isinstance(error, AppError)
    assert error.kind is ErrorKind.NOT_FOUND
    assert error.details == {"thing_id": "t"}
    assert str(error) == "thing_not_found: No such thing."


def test_only_two_kinds_are_transient():
    """Those that a retry can help."""
    transient = {kind for kind in ErrorKind if kind.is_transient}
    assert transient == {ErrorKind.RATE_LIMITED, ErrorKind.UNAVAILABLE}
    assert UnavailableError("x", "y", retry_after_seconds=2).retry_after_seconds == 2


def test_a_forked_child_makes_ids_of_its_own():
    """Also when another thread made one at that moment; none is its parent's."""
    is_held, may_release = threading.Event(), threading.Event()

    def hold():
        with ids._lock:
            is_held.set()
            may_release.wait(0.2)

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(2)  # a lock that stayed shut ends it
        os.write(writer, new_id().encode())
        os._exit(0)
    holder.join()
    os.close(writer)
    mine = {new_id() for _ in range(1000)}
    with os.fdopen(reader, "rb") as pipe:
        other = pipe.read().decode()
    os.waitpid(child, 0)
    assert is_id(other)
    assert other not in mine
    assert other[19:] not in {one[19:] for one in mine}
