"""A licence is known and allowed where its package goes."""

import pytest

from scripts.supply.licences import (
    UnknownLicenceError,
    is_allowed,
    licence_of,
    packages,
    place_of,
    policy,
    problems,
)


@pytest.mark.parametrize(
    ("licence", "place", "is_fine"),
    [
        ("MIT", "images", True),
        ("MIT OR GPL-3.0-only", "images", True),
        ("MIT AND GPL-3.0-only", "images", False),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", "images", True),
        ("AGPL-3.0-only", "tools", False),
        ("GPL-2.0-only", "tools", True),
        ("GPL-2.0-only", "one machine", False),
        ("SSPL-1.0", "one machine", True),
        ("SSPL-1.0", "images", False),
    ],
)
def test_expressions_are_weighed(licence: str, place: str, *, is_fine: bool) -> None:
    """Of a choice one is enough, of several together each counts (SU-1)."""
    assert is_allowed(licence, place) is is_fine


def test_su_1_everything_installed_is_allowed() -> None:
    """No package of a lock comes under what its place does not take."""
    assert problems() == []


def test_an_unknown_package_is_refused() -> None:
    """What is not installed and not on the list has to be looked up."""
    with pytest.raises(UnknownLicenceError):
        licence_of("parley-no-such-package")


def test_an_image_decides_over_a_tool() -> None:
    """A package of an image and of a test is judged as the image's."""
    assert place_of({"chat", "test"}) == "images"
    assert place_of({"embedded", "lint"}) == "one machine"
    assert place_of({"lint"}) == "tools"


def test_what_was_read_is_still_taken() -> None:
    """A licence that was read by hand belongs to a package of a lock."""
    taken = {part.name for part in packages()}

    assert {name for names in policy()["read"].values() for name in names} <= taken
    assert set(policy()["inside"]) <= taken
