"""Sessions: life time, rotation and what an old token is worth."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.kernel import new_id
from services.auth.domain import (
    RevokeReason,
    Session,
    TokenFit,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def session():
    """A session that has just begun."""
    return Session(
        session_id=new_id(),
        user_id=new_id(),
        device_name="phone",
        created_at=START,
        last_used_at=START,
        expires_at=START + timedelta(days=30),
        token_hash="a",
        token_key_id="k",
    )


@pytest.mark.parametrize(("shift", "is_live"), [(-SECOND, True), (SECOND, False)])
def test_rt_4_session_idles_out_after_seven_days(session, shift, is_live):
    """RT-4: the idle limit holds to the second."""
    assert session.is_live(START + timedelta(days=7) + shift) is is_live


@pytest.mark.parametrize(("shift", "is_live"), [(-SECOND, True), (SECOND, False)])
def test_rt_4_session_ends_after_thirty_days_however_used(session, shift, is_live):
    """RT-4: the absolute limit holds to the second."""
    used = session.rotated("b", "k", START + timedelta(days=29))
    assert used.is_live(START + timedelta(days=30) + shift) is is_live


def test_rt_2_parent_is_good_for_ten_seconds(session):
    """RT-2: the direct parent has a grace, nothing else has."""
    rotated = session.rotated("b", "k", START)
    assert rotated.fit_of("b", START) is TokenFit.CURRENT
    assert rotated.fit_of("a", START + 10 * SECOND) is TokenFit.PARENT_IN_GRACE
    assert rotated.fit_of("a", START + 11 * SECOND) is TokenFit.SPENT
    assert rotated.fit_of("z", START) is TokenFit.SPENT


def test_rt_2_grandparent_is_spent_even_within_the_grace(session):
    """RT-2: using the child ends the parent's grace."""
    twice = session.rotated("b", "k", START).rotated("c", "k", START)
    assert twice.fit_of("a", START) is TokenFit.SPENT
    assert twice.fit_of("b", START) is TokenFit.PARENT_IN_GRACE


def test_first_token_has_no_parent(session):
    """A token that is unknown to a young session is spent, not its parent."""
    assert session.fit_of("x", START) is TokenFit.SPENT


def test_revoked_session_is_not_live(session):
    """The end of a session is at once."""
    assert not session.revoked(RevokeReason.LOGOUT, START).is_live(START)
