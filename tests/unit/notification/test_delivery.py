"""Waiting times, and what a delivery tells of its origin."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel import EventId
from services.notification.domain.delivery import (
    BACKOFF_MAX,
    Notice,
    NoticeKind,
    Origin,
    backoff,
    channel_pause,
)


def seconds(value: float) -> timedelta:
    """Return a time span."""
    return timedelta(seconds=value)


@pytest.mark.parametrize(
    ("attempts", "expected"), [(1, 2), (2, 4), (5, 32), (10, 600), (1000, 600)]
)
def test_the_wait_doubles_to_a_bound(attempts: int, expected: float) -> None:
    """Two seconds first, ten minutes last."""
    assert backoff(attempts, None, lambda: 0.0) == seconds(expected)


@given(st.integers(1, 100), st.floats(0, 1), st.floats(0, 3600))
def test_the_wait_respects_the_provider(
    attempts: int, jitter: float, retry_after: float
) -> None:
    """Never before Retry-After, never more than a quarter longer than it must be."""
    wait = backoff(attempts, seconds(retry_after), lambda: jitter)
    assert wait >= seconds(retry_after)
    assert wait <= max(BACKOFF_MAX, seconds(retry_after)) * 1.25


@pytest.mark.parametrize(
    ("failures", "retry_after", "expected"),
    [(1, None, 1), (4, None, 8), (50, None, 30), (1, 90.0, 90), (50, 3.0, 30)],
)
def test_a_channel_pauses_shortly(
    failures: int, retry_after: float | None, expected: float
) -> None:
    """Half a minute at most, unless the provider asks for more."""
    asked = None if retry_after is None else seconds(retry_after)
    assert channel_pause(failures, asked) == seconds(expected)


@pytest.mark.parametrize(
    ("traceparent", "trace_id"),
    [(None, None), ("", None), ("00-abc", None), ("00-abc-def-01", "abc")],
)
def test_the_trace_of_the_event_is_kept(
    traceparent: str | None, trace_id: str | None
) -> None:
    """A mail can be followed back to its socket."""
    assert Origin(EventId("e"), "c", traceparent).trace_id == trace_id


def test_a_notice_does_not_print_what_is_private() -> None:
    """A log line with a notice in it tells nothing."""
    notice = Notice(NoticeKind.RESET, "ada@example.org", "Ada", "en", token="s3cret")
    assert "ada@" not in repr(notice)
    assert "s3cret" not in repr(notice)
