"""The bills of materials are valid, whole, and the same twice."""

import json
from datetime import UTC, datetime

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts.supply.locks import SHIPPED, pins_of
from scripts.supply.materials import bill_of, edges_of, written

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("image", SHIPPED)
def test_su_1_a_bill_names_every_package_with_hash_and_licence(image: str) -> None:
    """It is valid CycloneDX and lists what the image's lock pins."""
    text = written(bill_of(image, AT))
    bill = json.loads(text)
    found = {
        (part["name"], part["version"]): part
        for part in bill["components"]
        if part["type"] == "library"
    }

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert set(found) == {(pin.name, pin.version) for pin in pins_of(image)}
    for part in found.values():
        assert part["licenses"]
        assert part["externalReferences"][0]["hashes"]


def test_su_1_the_same_commit_gives_the_same_bytes() -> None:
    """Nothing of the moment or of chance is in it."""
    assert written(bill_of("chat", AT)) == written(bill_of("chat", AT))


@pytest.mark.parametrize("image", SHIPPED)
def test_everything_has_somebody_who_needs_it(image: str) -> None:
    """Each package is reached from what the group asks for, extras followed."""
    locked = {pin.name for pin in pins_of(image)}

    assert set(edges_of(image, locked)) == {"", *locked}
