"""The statuses of an account as a state machine."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel import UserId, new_id
from services.auth.domain import (
    TRANSITIONS,
    EmailAddress,
    User,
    UserStatus,
)
from services.auth.domain.errors import StatusRefusedError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _user(status):
    return User(
        user_id=UserId(new_id()),
        revision=1,
        status=status,
        email=EmailAddress.parse("ann@example.test"),
        display_name="Ann",
        locale="en",
        roles=("member",),
        created_at=NOW,
        updated_at=NOW,
    )


@given(st.lists(st.sampled_from(UserStatus), max_size=20))
def test_no_way_leads_back_from_deleted_or_to_pending(wanted):
    """Whatever is tried in whatever order, the table holds and revisions count."""
    user = _user(UserStatus.PENDING)
    for status in wanted:
        before = user
        try:
            user = user.moved(status, NOW)
        except StatusRefusedError:
            assert status not in TRANSITIONS[before.status]
            assert user is before
            continue
        assert status in TRANSITIONS[before.status]
        assert before.status is not UserStatus.DELETED
        assert status is not UserStatus.PENDING
        assert user.revision == before.revision + 1
        assert user.may_sign_in == (status is UserStatus.ACTIVE)


@pytest.mark.parametrize("before", UserStatus)
@pytest.mark.parametrize("after", UserStatus)
def test_every_pair_of_statuses_is_decided(before, after):
    """25 pairs: the table's pass, all others are refused by name."""
    if after in TRANSITIONS[before]:
        assert _user(before).moved(after, NOW).status is after
        return
    with pytest.raises(StatusRefusedError) as caught:
        _user(before).moved(after, NOW)
    assert caught.value.details == {"before": before.value, "after": after.value}
