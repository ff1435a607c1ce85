"""What somebody was not allowed to do is recorded, and fills no disk."""

from datetime import timedelta

import pytest

from libs.chassis.audit import AuditResult, MemoryAuditTrail, Refusals
from libs.chassis.origins import NOWHERE, Origin, bind_origin
from libs.kernel import (
    ForbiddenError,
    FrozenClock,
    NotFoundError,
    UnavailableError,
    new_id,
)

FORBIDDEN = ForbiddenError("not_permitted", "No.")


class AwayTrail:
    """An `AuditTrail` whose database does not answer."""

    async def record(self, entry, session) -> None:
        """Refuse."""
        raise UnavailableError("audit_unavailable", "Away.")


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that moves when told to."""
    return FrozenClock()


@pytest.fixture
def trail() -> MemoryAuditTrail:
    """Records in a list."""
    return MemoryAuditTrail()


@pytest.fixture(autouse=True)
def origin():
    """A user asks."""
    bind_origin(Origin("ada", "s1", "192.0.2.1"))
    yield
    bind_origin(NOWHERE)


async def test_a_refusal_names_who_what_and_where(trail, clock) -> None:
    """The ids of the request are kept; a text that stands in a path is not."""
    place, message = new_id(), new_id()
    parameters = {"conversation_id": place, "message_id": message, "emoji": "secret"}
    await Refusals(trail, clock).record(FORBIDDEN, "DELETE /x/{y}", parameters)
    (entry,) = trail.entries
    assert (entry.action, entry.actor_id) == ("access.refused", "ada")
    assert (entry.result, entry.reason) == (AuditResult.REFUSED, "not_permitted")
    assert entry.target_id == place
    assert entry.details == {
        "way_in": "DELETE /x/{y}",
        "conversation_id": place,
        "message_id": message,
    }


async def test_what_is_missing_is_no_refusal(trail, clock) -> None:
    """What one may not see is not there: nobody was refused anything."""
    error = NotFoundError("conversation_not_found", "None.")
    await Refusals(trail, clock).record(error, "GET /x", {})
    assert trail.entries == []


async def test_the_same_again_is_recorded_once_a_minute(trail, clock) -> None:
    """Somebody who knocks all night leaves a record a minute for each door."""
    refusals = Refusals(trail, clock)
    one, other = {"x_id": new_id()}, {"x_id": new_id()}
    for _ in range(120):
        await refusals.record(FORBIDDEN, "GET /x", one)
        clock.advance(timedelta(seconds=1))
    assert len(trail.entries) == 2
    await refusals.record(FORBIDDEN, "GET /x", other)
    await refusals.record(FORBIDDEN, "PUT /x", one)
    await refusals.record(ForbiddenError("other", "No."), "GET /x", one)
    bind_origin(NOWHERE)
    await refusals.record(FORBIDDEN, "GET /x", other)
    assert [entry.actor_id for entry in trail.entries[2:]] == [
        *("ada", "ada", "ada", "anonymous")
    ]


async def test_what_cannot_be_recorded_is_refused_all_the_same(clock) -> None:
    """The refusal itself changed nothing."""
    await Refusals(AwayTrail(), clock).record(FORBIDDEN, "GET /x", {})


async def test_what_was_known_long_ago_is_forgotten(trail, clock) -> None:
    """Ten thousand kinds are remembered; the oldest goes first."""
    refusals = Refusals(trail, clock)
    for number in range(10_001):
        await refusals.record(FORBIDDEN, f"GET /{number}", {})
    await refusals.record(FORBIDDEN, "GET /10000", {})
    await refusals.record(FORBIDDEN, "GET /0", {})
    assert len(trail.entries) == 10_002
