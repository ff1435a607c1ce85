"""Places for requests: what can wait is refused first."""

import pytest

from services.gateway.domain.concurrency import Places
from services.gateway.domain.errors import OverloadedError
from services.gateway.domain.route import Priority


def taken(places: Places, priority: Priority, *services: str) -> int:
    """Take places in turn until there is none; return how many."""
    count = 0
    while True:
        try:
            places.take(services[count % len(services)], priority)
        except OverloadedError:
            return count
        count += 1


def test_the_less_urgent_find_no_place_first() -> None:
    """Half for low priority, four fifths for normal, all for high."""
    places = Places(100)
    assert taken(places, "low", "a", "b", "c") == 50
    assert taken(places, "normal", "a", "b", "c") == 30
    assert taken(places, "high", "a", "b", "c") == 20
    assert places.taken == 100


def test_one_service_takes_half_at_most() -> None:
    """A service that hangs leaves the others their places."""
    places = Places(100)
    assert taken(places, "high", "chat") == 50
    assert taken(places, "high", "auth", "media") == 50


def test_a_place_that_was_given_back_is_taken_again() -> None:
    """By whoever comes."""
    places = Places(10)
    assert taken(places, "low", "chat") == 3
    places.free("chat")
    assert taken(places, "low", "chat") == 1


@pytest.mark.parametrize(("priority", "seconds"), [("high", 1), ("low", 5)])
def test_the_less_urgent_is_told_to_come_later(
    priority: Priority, seconds: int
) -> None:
    """Or all would be back at once."""
    places = Places(10)
    taken(places, "high", "chat", "auth")
    with pytest.raises(OverloadedError) as caught:
        places.take("media", priority)
    assert caught.value.retry_after_seconds == seconds
