"""No lock pins a package below the release that fixed what is known of it."""

import pytest
from packaging.version import Version

from scripts.supply.locks import groups, pins_of

FLOORS = {
    "pyjwt": "2.15.0",
    "python-socketio": "5.16.4",
    "starlette": "1.3.1",
    "bcrypt": "5",
    "aio-pika": "10.2",
    "h11": "0.16",
}


@pytest.mark.parametrize("lock", groups())
def test_nothing_is_pinned_too_low(lock: str) -> None:
    """Each package of the list that a lock holds is at its floor or above (SU-2)."""
    pins = pins_of(lock, everywhere=True)

    assert pins
    for pin in pins:
        floor = FLOORS.get(pin.name)
        assert floor is None or Version(pin.version) >= Version(floor), pin.name
        assert pin.name != "aio-pika" or Version(pin.version) < Version("11")


def test_the_floors_are_of_packages_that_are_used() -> None:
    """A name that no lock holds would guard nothing."""
    held = {pin.name for lock in groups() for pin in pins_of(lock, everywhere=True)}

    assert set(FLOORS) <= held
