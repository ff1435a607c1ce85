"""Which calls of an operation can be made up."""

from typing import Any

import pytest
import schemathesis

from tests.support.generated_calls import modes, try_out

ID = {"in": "path", "name": "id", "required": True}
TEXT = {"type": "string", "title": "Id"}
QUERY = {"in": "query", "name": "limit", "schema": {"type": "integer"}}


def operation(**parts: Any) -> Any:
    """Return an operation with these parts."""
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": {"/things/{id}": {"post": {"responses": {}, **parts}}},
    }
    schema = schemathesis.openapi.from_dict(document)
    (found,) = (result.ok() for result in schema.get_all_operations())
    return found


def calls(made: Any) -> int:
    """Return how many calls of an operation are made up where two are wanted."""
    cases: list[Any] = []
    try_out(made, 2, cases.append)
    return len(cases)


def test_any_text_in_a_path_is_good() -> None:
    """Nothing is made up that could be bad, and nothing is tried in vain."""
    made = operation(parameters=[ID | {"schema": TEXT}])
    assert [mode.is_negative for mode in modes(made)] == [False]
    assert calls(made) == 2


@pytest.mark.parametrize(
    "parts",
    [
        {"parameters": [ID | {"schema": TEXT | {"maxLength": 3}}]},
        {"parameters": [ID | {"schema": TEXT}, QUERY]},
        {
            "parameters": [ID | {"schema": TEXT}],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
        },
    ],
    ids=["length", "query", "body"],
)
def test_all_other_input_can_be_bad(parts) -> None:
    """It is called as often badly as well."""
    made = operation(**parts)
    assert [mode.is_negative for mode in modes(made)] == [False, True]
    assert calls(made) == 4
