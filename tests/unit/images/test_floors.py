"""No lock pins a package below the release that fixed what is known of it."""

import re
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCKS = sorted((Path(__file__).parents[3] / "requirements").glob("*.txt"))
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
FLOORS = {
    "pyjwt": "2.15.0",
    "python-socketio": "5.16.4",
    "starlette": "1.3.1",
    "bcrypt": "5",
    "aio-pika": "10.2",
    "h11": "0.16",
}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_nothing_is_pinned_too_low(lock: Path) -> None:
    """Each package of the list that a lock holds is at its floor or above (SU-2)."""
    pins = PIN.findall(lock.read_text(encoding="utf-8"))

    assert pins
    for name, version in pins:
        floor = FLOORS.get(canonicalize_name(name))
        assert floor is None or Version(version) >= Version(floor), name
        assert canonicalize_name(name) != "aio-pika" or Version(version) < Version("11")


def test_the_floors_are_of_packages_that_are_used() -> None:
    """A name that no lock holds would guard nothing."""
    held = {
        canonicalize_name(name)
        for lock in LOCKS
        for name, _ in PIN.findall(lock.read_text(encoding="utf-8"))
    }

    assert set(FLOORS) <= held
