"""What is no fault of the event is waited for, not counted."""

from libs.events.consuming.pace import Pace
from libs.events.consuming.patience import Patience
from libs.events.errors import DatabaseAwayError, WriteConflictError


async def test_races_and_a_database_that_is_away_are_waited_for():
    """Anything else is the handler's failure."""
    patience = Patience()
    assert await patience.waits_for(WriteConflictError())
    assert await patience.waits_for(DatabaseAwayError("database_unavailable", "away"))
    assert not await patience.waits_for(ValueError())
    assert not await patience.waits_for(None)


async def test_a_race_that_never_ends_is_a_failure():
    """The database, however, is waited for as long as it takes."""
    patience = Patience()
    patience._ends_at = 0.0
    assert not await patience.waits_for(WriteConflictError())
    assert await patience.waits_for(DatabaseAwayError("database_unavailable", "away"))


def test_the_pace_follows_what_was_measured():
    """Whole frames at first, fewer events where a handler is slow, at least one."""
    pace = Pace()
    assert pace.size > 64
    pace.note(0.2, 1)
    assert pace.size == 1
    for _ in range(50):
        pace.note(0.128, 64)
    assert 40 <= pace.size <= 50
