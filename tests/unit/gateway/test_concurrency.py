"""Places for requests: what can wait is refused first."""

import pytest

from services.gateway.domain.concurrency import Places, Shares
from services.gateway.domain.errors import OverloadedError, TooManyAtOnceError
from services.gateway.domain.route import Priority


def places_of(total: int, of_address: int = 1_000, of_user: int = 1_000) -> Places:
    """Return places that one address and one user may have all of, unless told."""
    return Places(total, Shares(of_address), Shares(of_user))


def taken(places: Places, priority: Priority, *services: str) -> int:
    """Take places in turn until there is none; return how many."""
    count = 0
    while True:
        try:
            places.take(services[count % len(services)], priority, "192.0.2.1")
        except OverloadedError:
            return count
        count += 1


def test_the_less_urgent_find_no_place_first() -> None:
    """Half for low priority, four fifths for normal, all for high."""
    places = places_of(100)
    assert taken(places, "low", "a", "b", "c") == 50
    assert taken(places, "normal", "a", "b", "c") == 30
    assert taken(places, "high", "a", "b", "c") == 20
    assert places.taken == 100


def test_one_service_takes_half_at_most() -> None:
    """A service that hangs leaves the others their places."""
    places = places_of(100)
    assert taken(places, "high", "chat") == 50
    assert taken(places, "high", "auth", "media") == 50


def test_a_place_that_was_given_back_is_taken_again() -> None:
    """By whoever comes."""
    places = places_of(10)
    place = places.take("chat", "low", "192.0.2.1")
    assert taken(places, "low", "chat") == 2
    place.free()
    assert taken(places, "low", "chat") == 1


def test_one_address_and_one_user_leave_places_to_others() -> None:
    """HT-2: who sends slowly holds few of them, whatever else is free."""
    places = places_of(100, of_address=3, of_user=2)
    held = [places.take("chat", "high", "192.0.2.1") for _ in range(3)]
    with pytest.raises(TooManyAtOnceError):
        places.take("auth", "high", "192.0.2.1")
    assert places.taken == 3
    for place in held[:2]:
        place.give_to("ann")
    with pytest.raises(TooManyAtOnceError):
        held[2].give_to("ann")
    held[2].give_to("ben")
    for place in held:
        place.free()
    assert places.taken == 0
    other = places.take("chat", "high", "192.0.2.1")
    other.give_to("ann")
    other.free()


def test_who_holds_nothing_is_forgotten() -> None:
    """Or every address that ever came would stay in memory."""
    shares = Shares(2)
    for number in range(100):
        shares.take(f"192.0.2.{number}")
        shares.free(f"192.0.2.{number}")
    assert not shares._held


@pytest.mark.parametrize(("priority", "seconds"), [("high", 1), ("low", 5)])
def test_the_less_urgent_is_told_to_come_later(
    priority: Priority, seconds: int
) -> None:
    """Or all would be back at once."""
    places = places_of(10)
    taken(places, "high", "chat", "auth")
    with pytest.raises(OverloadedError) as caught:
        places.take("media", priority, "192.0.2.1")
    assert caught.value.retry_after_seconds == seconds
