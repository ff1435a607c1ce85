"""The merged description of the API is OpenAPI to others too."""

import json
from pathlib import Path

import schemathesis

DOCUMENT = Path(__file__).parents[2] / "services" / "gateway" / "openapi.json"


def test_the_merged_description_is_read_by_a_tool_of_others() -> None:
    """Every operation with all that it refers to; none is left out as broken."""
    merged = json.loads(DOCUMENT.read_text())
    schema = schemathesis.openapi.from_dict(merged)
    found = {one.ok().label for one in schema.get_all_operations()}
    assert len(found) == sum(len(methods) for methods in merged["paths"].values())
