"""Generated calls of documented operations (FZ-1), for whoever sends them.

``PARLEY_SCHEMA_EXAMPLES`` calls an operation, for each way of generating input.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def examples(default: int) -> int:
    """Return how many calls of an operation and mode are wanted."""
    return int(os.environ.get("PARLEY_SCHEMA_EXAMPLES", default))


def operations(document: Path) -> dict[str, Any]:
    """Return the operations of an OpenAPI document, by method and path."""
    schema = schemathesis.openapi.from_dict(json.loads(document.read_text()))
    found = (result.ok() for result in schema.get_all_operations())
    return {operation.label: operation for operation in found}


def modes(operation: Any) -> list[GenerationMode]:
    """Return the ways of making input up that bring anything.

    Where all input is text in the path, none can be bad, and the generator would find
    that out by hundreds of vain tries.
    """
    raw = operation.definition.raw
    takes_any_text = "requestBody" not in raw and all(
        one["in"] == "path" and one["schema"].keys() - {"title"} == {"type"}
        for one in raw.get("parameters", ())
    )
    good = [GenerationMode.POSITIVE]
    return good if takes_any_text else [*good, GenerationMode.NEGATIVE]


def try_out(operation: Any, count: int, call: Callable[[Any], None]) -> None:
    """Call an operation so often with good input, and so often with bad input."""
    for mode in modes(operation):

        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def run(case: Any) -> None:
            call(case)

        with suppress(Unsatisfiable):  # without input nothing can be wrong with it
            run()
