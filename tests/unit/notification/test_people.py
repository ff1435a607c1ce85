"""Preferences, quiet hours, and who may be told at all."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel import ConversationId, InvalidError, UserId, new_id
from services.notification.domain.people import (
    MUTED_CONVERSATIONS_MAX,
    Person,
    Preferences,
    QuietHours,
    zone_named,
)

NIGHT = QuietHours(time(22), time(7))
NOON = QuietHours(time(12), time(13, 30))


def at(hour: int, minute: int = 0) -> datetime:
    """Return a time of one day, UTC."""
    return datetime(2026, 3, 10, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (NIGHT, at(21, 59), None),
        (NIGHT, at(22), datetime(2026, 3, 11, 7, tzinfo=UTC)),
        (NIGHT, at(3), at(7)),
        (NIGHT, at(7), None),
        (NOON, at(11, 59), None),
        (NOON, at(12), at(13, 30)),
        (NOON, at(13, 30), None),
    ],
)
def test_quiet_hours_end_on_the_clock(
    hours: QuietHours, now: datetime, until: datetime | None
) -> None:
    """Start is quiet, end is loud, and a span may go over midnight."""
    assert hours.quiet_until(now, UTC) == until


def test_quiet_hours_are_the_persons_own() -> None:
    """The wall clock is the one of the person's time zone."""
    preferences = Preferences(quiet_hours=NIGHT)
    person = Person(UserId("u"), time_zone="Asia/Tokyo", preferences=preferences)

    assert person.quiet_until(at(13)) == at(22)
    assert person.quiet_until(at(12)) is None
    assert Person(UserId("u")).quiet_until(at(23)) is None


def test_an_unknown_time_zone_is_utc() -> None:
    """A name that nobody knows does no harm."""
    assert zone_named("Mars/Olympus") is UTC
    assert zone_named("../etc/passwd") is UTC


@given(
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.datetimes(
        min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis wants it naive
        max_value=datetime(2030, 1, 1),  # noqa: DTZ001 - as above
        timezones=st.just(UTC),
    ),
)
def test_quiet_time_always_ends_within_a_day(
    start: time, end: time, now: datetime
) -> None:
    """Whatever the span, its end lies ahead and at most a day away."""
    if start == end:
        return
    until = QuietHours(start, end).quiet_until(now, UTC)
    assert until is None or now < until <= now + timedelta(days=1)


def test_empty_quiet_hours_are_refused() -> None:
    """A span must have a length."""
    with pytest.raises(InvalidError, match="quiet_hours_empty"):
        QuietHours(time(8), time(8))


def test_muted_conversations_are_bounded() -> None:
    """Nobody stores an endless list."""
    muted = frozenset(
        ConversationId(new_id()) for _ in range(MUTED_CONVERSATIONS_MAX + 1)
    )
    with pytest.raises(InvalidError, match="too_many_muted"):
        Preferences(muted_conversation_ids=muted)


@pytest.mark.parametrize("changes", [{"is_suspended": True}, {"is_deleted": True}])
def test_only_active_accounts_are_told(changes: dict[str, bool]) -> None:
    """Suspension and deletion silence everything."""
    assert Person(UserId("u")).is_reachable
    assert not Person(UserId("u"), **changes).is_reachable
